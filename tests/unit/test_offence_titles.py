"""Each title of an offence, given in words alone, falls into its own group; no other title falls into one.

Titles of the codes of 2003, 2012 and 2019 in Albanian, Serbian (both scripts) and English, as the institutions' forms and pages write them.
"""

from __future__ import annotations

import pandas as pd
import pytest

from pipelines.harmonisation.letters import fold_text
from pipelines.harmonisation.offence_words import find_offence_groups

TITLES = {
    "trafficking": (
        "Trafikimi me njerëz",
        "Trafikim me njerëz",
        "Trgovina ljudima",
        "Trafficking in persons",
        "Trafikimi me qenie njerëzore",
        "Трговина људима",
        "Trafikim me njerëz me qëllim të heqjes së organeve",
        "Trafikim me fëmijë",
        "Trafikimi i personave",
        "Trgovina decom",
        "Trafikim me njerëz – viktimë e mitur",
        "Trafikim me njerëz dhe mbajtje në skllavëri",
        "Trgovina ljudima radi prinudnog rada",
        "Trafikim me njerëz për punë të detyruar",
    ),
    "slavery": (
        "Vendosja e skllavërisë, kushteve të ngjashme me skllavërinë dhe punës së detyruar",
        "Skllavëria, kushtet e ngjashme me skllavërinë dhe puna e detyruar",
        "Ropstvo, uslovi slični ropstvu i prinudni rad",
        "Zasnivanje ropstva, uslova sličnih ropstvu i prinudnog rada",
        "Uspostavljanje ropskih odnosa, uslova sličnih ropstvu i prinudnog rada",
        "Ропство, услови слични ропству и принудни рад",
        "Establishing slavery, slavery-like conditions and forced labour",
        "Slavery, slavery-like conditions and forced labor",
        "Punë e detyruar",
        "Prisilni rad",
        "Prinudan rad",
        "Detyrimi në punë",
    ),
    "withholding_identity_papers": (
        "Fshehja e dokumenteve të identifikimit të viktimave të skllavërisë ose të trafikimit me njerëz",
        "Fshehja e dokumenteve të identifikimit të viktimave",
        "Fshehja e dokumenteve të identitetit të viktimave të skllavërisë ose trafikimit me njerëz",
        "Mbajtja e dokumenteve të identifikimit të viktimave të skllavërisë ose trafikimit me njerëz",
        "Mbajtja e letrave të identifikimit të viktimave të skllavërisë ose të trafikimit me njerëz",
        "Fshehja e letërnjoftimeve të viktimave të trafikimit me njerëz",
        "Prikrivanje identifikacionih dokumenata žrtava",
        "Prikrivanje identifikacionih dokumenata žrtava ropstva ili trgovine ljudima",
        "Uskraćivanje identifikacionih dokumenata žrtava ropstva ili trgovine ljudima",
        "Uskraćivanje identifikacionih isprava žrtvama trgovine ljudima",
        "Zadržavanje identifikacionih dokumenata žrtava ropstva ili trgovine ljudima",
        "Скривање личних докумената жртава трговине људима",
        "Ускраћивање идентификационих докумената жртава ропства или трговине људима",
        "Withholding identification papers of victims of slavery or trafficking in persons",
        "Withholding identity papers of victims",
        "Fshehja e dokumenteve te viktimave te trafikimit",
        "Marrja e pasaportës së viktimës së trafikimit",
    ),
    "facilitating_prostitution": (
        "Lehtësimi i prostitucionit",
        "Lehtësimi ose detyrimi në prostitucion",
        "Mundësimi ose detyrimi në prostitucion",
        "Mundësim prostitucioni",
        "Posredovanje u vršenju prostitucije",
        "Omogućavanje ili prinuda na prostituciju",
        "Olakšavanje ili prinuda na prostituciju",
        "Olakšavanje prostitucije",
        "Омогућавање или принуда на проституцију",
        "Facilitating prostitution",
        "Facilitating or compelling prostitution",
        "Ndërmjetësimi në prostitucion",
    ),
    "prostitution": (
        "Ushtrimi i prostitucionit",
        "Ushtrimi i prostitucionit (kundërvajtje)",
        "Bavljenje prostitucijom",
        "Odavanje prostituciji",
        "Бављење проституцијом",
        "Exercising prostitution",
    ),
    "other": (
        "Shërbimet seksuale të viktimës së trafikimit",
        "Sigurimi i shërbimeve seksuale nga viktima e trafikimit",
        "Ofrimi i shërbimeve seksuale të viktimës së trafikimit me njerëz",
        "Shfrytëzimi i shërbimeve seksuale të viktimës së trafikimit",
        "Pružanje seksualnih usluga žrtve trgovine ljudima",
        "Seksualne usluge žrtve trgovine ljudima",
        "Korišćenje seksualnih usluga žrtve trgovine ljudima",
        "Пружање сексуалних услуга жртве трговине људима",
        "Providing sexual services of a victim of trafficking",
        "Kontrabandimi me migrantë",
        "Kontrabandimi me emigrantë",
        "Krijumčarenje migranata",
        "Krijumčarenje ljudi",
        "Кријумчарење миграната",
        "Keqtrajtimi ose braktisja e fëmijës",
        "Zlostavljanje ili napuštanje deteta",
        "Pjesëmarrja në grup kriminal të organizuar ose organizimi i tij",
        "Učešće u organizovanoj kriminalnoj grupi ili njeno organizovanje",
        "Trafikimi i substancave narkotike",
        "Trafikimi me bimë narkotike",
        "Trgovina narkoticima",
        "Neovlašćena kupovina, posedovanje i prodaja opojnih droga",
        "Trafikimi me armë",
        "Trgovina oružjem",
        "Falsifikimi i dokumenteve të identifikimit",
        "Falsifikovanje ličnih isprava",
    ),
}
ELSEWHERE = (
    "Rrezikimi i trafikut publik",
    "Rrezikimi i trafikut publik me mjete të rrezikshme",
    "Ugrožavanje javnog saobraćaja",
    "Aksident trafiku",
    "Aksident në trafikun rrugor",
    "Vrasje në trafik",
    "Transplantimi i kundërligjshëm dhe trafikimi me organe dhe qeliza të njeriut",
    "Trafikimi me pasuri kulturore",
    "Trgovina uticajem",
    "Trgovina zaštićenim kulturnim dobrima",
    "Keqpërdorimi i detyrës në punë",
    "Degradimi i integritetit seksual me detyrim",
    "Mospagimi i punës së detyrës",
    "Shkatërrimi, dëmtimi ose fshehja e dokumenteve zyrtare",
    "Prikrivanje službenih isprava",
    "Fshehja e provave",
    "Fshehja e origjinës së pasurisë",
    "Povreda prava iz radnog odnosa",
    "Neovlašćeno bavljenje delatnošću",
    "Dhuna ndaj viktimës",
    "Zlostavljanje žrtve",
    "Nedozvoljena trgovina",
    "Nedozvoljena trgovina licencama",
    "Trgovina ukradenim vozilima",
    "Tregti e ndaluar",
    "Kontrabandimi i mallrave",
    "Prinuda",
    "Detyrimi",
    "Fshehje e identitetit",
    "Lažno predstavljanje",
    "Pornografia e fëmijëve",
    "Keqpërdorimi i dokumentit të identifikimit",
    "Mbajtja e dokumenteve të falsifikuara",
    "Mbajtja e armëve",
)
"""Titles and words of other offences that hold a word of a group: unknown or `other`, never that group."""


def groups(texts: tuple[str, ...]) -> dict[str, object]:
    every = [spelled for text in texts for spelled in (text, text.upper(), fold_text(text))]
    return dict(zip(every, find_offence_groups(pd.Series(every)).fillna("-"), strict=True))


@pytest.mark.parametrize("group", TITLES)
def test_a_title_falls_into_its_own_group(group: str) -> None:
    assert {text: found for text, found in groups(TITLES[group]).items() if found != group} == {}


def test_a_title_of_another_offence_falls_into_no_group() -> None:
    assert {text: found for text, found in groups(ELSEWHERE).items() if found not in ("-", "other")} == {}
