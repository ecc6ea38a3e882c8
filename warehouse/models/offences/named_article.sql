-- Every article that a charge or a file names, for `dim_offence`.
SELECT DISTINCT offence, law, article FROM fact_charge
UNION
SELECT DISTINCT offence_reported, law, article FROM fact_case_record
