-- One row per charge at any stage, and per file of a stage whose files name an offence themselves (registration, protection).
-- reported: rank of the offence by the record. offence: harmonised rank: by the article in force, else the wording, else only the article's
-- number if it can mean only one offence (whatever the code named); if the record does not show it, the
-- principal offence of the same person at the nearest other stage of the case, else of the case there, else `other`. stated: anything shows it.
WITH stated AS (
  SELECT
    institution, case_key, record_key, case_id, CASE WHEN one_person_a_file THEN person_id END AS person_id, stage, form, law, article,
    NULL AS paragraph, NULL::BOOLEAN AS principal, article_group, words_group, offence_group, 1 AS kind, n
  FROM accepted_case JOIN stage USING (stage) LEFT JOIN linked_person USING (institution, record_key)
  WHERE files_state_offence
  UNION ALL
  SELECT
    institution, case_key, record_key, case_id, person_id, stage, form, law, article, paragraph,
    principal, article_group, words_group, offence_group, 2, n
  FROM accepted_charge
), ranked AS (
  SELECT
    stated.* EXCLUDE (article_group, words_group, offence_group),
    said.rank AS reported,
    own.rank AS own
  FROM stated
  LEFT JOIN article_number USING (article)
  LEFT JOIN offence_group AS said ON said.offence_group = stated.offence_group
  LEFT JOIN offence_group AS own ON own.offence_group = coalesce(article_group, words_group, article_number.offence_group)
), silent AS (
  SELECT DISTINCT case_id, person_id, stage FROM ranked WHERE own IS NULL
), of_person AS (
  SELECT case_id, person_id, stage, min(own) AS offence FROM ranked WHERE own IS NOT NULL AND person_id IS NOT NULL GROUP BY ALL
), of_case AS (
  SELECT case_id, stage, min(own) AS offence FROM ranked WHERE own IS NOT NULL GROUP BY ALL
), stated_elsewhere AS (
  SELECT
    silent.case_id, silent.person_id, silent.stage,
    coalesce(arg_min(of_person.offence, distance), arg_min(of_case.offence, distance)) AS offence
  FROM silent
  JOIN stage_distance ON stage_distance.stage = silent.stage AND other <> silent.stage
  LEFT JOIN of_person
    ON of_person.case_id = silent.case_id AND of_person.person_id = silent.person_id AND of_person.stage = stage_distance.other
  LEFT JOIN of_case ON of_case.case_id = silent.case_id AND of_case.stage = stage_distance.other
  GROUP BY ALL
)
SELECT
  ranked.* EXCLUDE (own), coalesce(own, stated_elsewhere.offence, rank_of('other')) AS offence,
  own IS NOT NULL OR stated_elsewhere.offence IS NOT NULL AS stated
FROM ranked LEFT JOIN stated_elsewhere
  ON stated_elsewhere.case_id = ranked.case_id AND stated_elsewhere.stage = ranked.stage
  AND stated_elsewhere.person_id IS NOT DISTINCT FROM ranked.person_id
