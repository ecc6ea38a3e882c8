-- One row per accepted person record that counts, with its case and, if it is a natural person, its person.
FROM known_person ANTI JOIN cancelled_file USING (institution, case_key)
