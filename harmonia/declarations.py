"""Validate all declarations (domain, contracts, rules, indicators, …) before a run starts, so that a typo stops the run at once.

Belongs here: the list of declarations, and checks that concern several of them. Does not belong here: their schemas (the modules that read
them).
"""

from __future__ import annotations

from collections.abc import Collection

from schemas.yaml_declarations import DeclarationError, make_value_error


def check_declarations() -> None:
    """Read and check all declarations.

    For the first error, raises `HarmoniaError` with the file, the key, the value and how to correct it.
    """
    from harmonia.comparison.agreements import load_agreements
    from schemas import domain, domain_folder
    from schemas.findings import rules
    from schemas.topic import topic
    from sources.contract import institution_by_case_number_kind, institutions, load
    from sources.number_forms import check_columns_of_own_numbers
    from warehouse.indicators import indicators
    from warehouse.indicators.catalogue import catalogue

    for read in (
        domain_folder.check_folder,
        topic,
        domain.country,
        domain.stages,
        institutions,
        institution_by_case_number_kind,
        check_columns_of_own_numbers,
        rules,
        load_agreements,
        indicators,
    ):
        read()
    check_domain_files()
    counts_only = {name for name in institutions() if not load(name).has_records}
    check_institutions_are_counted(counts_only | {name for one in catalogue().values() for name in one.institutions})
    check_indicators_named_by_contracts(tuple(catalogue()))
    check_codes_of_count_returns()


def check_domain_files() -> None:
    """Check that the files of the domain fit together: for example, that code lists use the offence groups of the topic.

    Raises `DeclarationError` if they do not.
    """
    from pipelines.harmonisation import code_lists
    from schemas import domain, domain_folder
    from schemas.texts import texts
    from schemas.topic import OTHER, topic
    from warehouse.disclosure.policy import check_policies_of_domain
    from warehouse.indicators import indicators

    place, current_topic = domain_folder.find_path_in_domain, topic()
    if domain.country().domestic not in set(code_lists.read_code_list("countries")["code"]):
        raise make_value_error(place("country.yaml"), "domestic", domain.country().domestic, "it must be a code of codes/countries.csv")
    for name, column in (("offences", "group"), ("offence_words", "group")):
        if odd := sorted(set(code_lists.read_code_list(name)[column]) - set(current_topic.offence_groups)):
            raise make_value_error(
                place(f"codes/{name}.csv"), column, odd[0], f"it must be one of {', '.join(current_topic.offence_groups)}"
            )
    if lacking := [
        group
        for group in current_topic.offence_groups
        if group != OTHER and group not in set(code_lists.read_code_list("offences")["code"])
    ]:
        raise make_value_error(
            place("codes/offences.csv"), "code", lacking[0], "the list must have a line with each offence group as its code"
        )
    forms = set(code_lists.read_code_list("forms")["code"])
    if odd := sorted(forms ^ set(current_topic.forms)):
        raise make_value_error(
            place("codes/forms.csv"), "code", odd[0], f"the codes must be those of topic.yaml: {', '.join(current_topic.forms)}"
        )
    if odd := [code for code in current_topic.report.indicators if code not in indicators()]:
        raise make_value_error(place("topic.yaml"), "report", odd[0], f"it must be an indicator: one of {', '.join(indicators())}")
    for stage in domain.stages():
        if stage not in texts("reports")["stages"]:
            raise make_value_error(place("texts.yaml"), "reports.stages", ", ".join(texts("reports")["stages"]), f"add {stage}")
    check_policies_of_domain()


def check_institutions_are_counted(counted_institutions: Collection[str]) -> None:
    """Check that indicators count every institution, since figures would silently lack the records of one that is not counted.

    counted_institutions: the institutions that indicators count. Raises `DeclarationError` if an institution is not among them.
    """
    from sources import contract

    for name in contract.institutions():
        if name not in counted_institutions:
            remedy = "list indicators under `counts_in` in its contract, add it to the indicator files, or remove its folder"
            raise DeclarationError(f"sources/{name}: no indicator counts it: {remedy}")


def check_indicators_named_by_contracts(known_indicators: Collection[str]) -> None:
    """Raise `DeclarationError` if a contract lists under `counts_in` an indicator that is not in `known_indicators`."""
    from sources import contract

    for name in contract.institutions():
        if unknown := [code for code in contract.load(name).counts_in if code not in known_indicators]:
            remedy = f"it must be an indicator: one of {', '.join(known_indicators)}"
            raise make_value_error(contract.folder_by_institution()[name] / "contract.yaml", "counts_in", unknown[0], remedy)


def check_codes_of_count_returns() -> None:
    """Check the tables in which institutions deliver counts of their own instead of records.

    Raises `DeclarationError` if one of their codes stands for something that is not an indicator or offence group.
    """
    from schemas.topic import topic
    from sources import contract
    from warehouse.indicators import indicators

    for name in contract.institutions():
        for table in contract.load(name).tables.values():
            if table.counts is None:
                continue
            for column, known in ((table.counts.indicator, indicators()), (table.counts.offence_group, ("total", *topic().offence_groups))):
                odd = [code for code in table.column(column).meanings if code not in known] if column else []
                if odd:
                    contract_file = contract.folder_by_institution()[name] / "contract.yaml"
                    raise make_value_error(
                        contract_file, f"tables.{table.name}.columns.{column}.codes", odd[0], f"it must be one of {', '.join(known)}"
                    )
