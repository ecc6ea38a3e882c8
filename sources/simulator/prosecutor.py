"""The prosecution's part in a matter: files received, charges, decisions, files separated and joined.

Belongs here: what happens and when, by chance. Does not belong here: the police and the inspectorate (`life.py`), courts and prisons
(`aftermath.py`).
"""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

from sources.simulator.aftermath import try_and_sentence
from sources.simulator.codes import Offence, find_seat, make_offence
from sources.simulator.model import Case, Charge, Decision, InspectorateFile, Party, Person, PoliceFile, ProsecutionFile
from sources.simulator.settings import Settings

SENDERS = ("QPS", "OJQ", "IP", "EULEX")


def _find_form_of_charge(case: Case, charged: Offence) -> str | None:
    """Return the form of exploitation of a charge: that of the matter, or the one that belongs to the offence."""
    if charged.group in ("trafficking", "withholding_identity_papers"):
        return case.form
    return {"slavery": "slavery_servitude", "facilitating_prostitution": "sexual"}.get(charged.group)


class Prosecutor:
    """Draws what the prosecution does with a report."""

    def __init__(self, rng: Random, settings: Settings) -> None:
        self.rng, self.settings = rng, settings

    def _draw_charged_offence(self, kind: str, form: str | None) -> str:
        """Return the kind of offence that the prosecution charges, which is sometimes another than that of the police
        (sources-of-facts.md, Law)."""
        chance = self.rng.random()
        if kind == "trafficking" and form == "sexual" and chance < 0.12:
            return "facilitating_prostitution"
        if kind == "facilitating_prostitution" and chance < 0.09:
            return "trafficking"
        return "injury" if kind == "slavery" and chance < 0.1 else kind

    def _make_charges(self, case: Case, kind: str, since: date) -> list[Charge]:
        rng = self.rng
        main = make_offence(kind, case.offence_day, rng.choices("12", (8, 2))[0])
        charges = [Charge(main, _find_form_of_charge(case, main), True, since)]
        if rng.random() < 0.14 and main.group != "prostitution":
            kinds = ["injury", "threat", "kidnapping", "organised_crime", "weapons", "pornography"]
            if main.group == "trafficking":
                kinds += ["withholding_identity_papers", "withholding_identity_papers"]
            second = make_offence(rng.choice([name for name in kinds if name != main.kind]), case.offence_day)
            charges.append(Charge(second, _find_form_of_charge(case, second), False, since))
        return charges

    def receive_report(
        self,
        case: Case,
        received: date,
        source: str,
        sender: PoliceFile | InspectorateFile | None,
        suspects: list[Person],
        victims: list[Person],
    ) -> ProsecutionFile:
        """Open a file on a report that comes in, with its parties, charged with the offence as the prosecution sees it."""
        rng = self.rng
        kind = self._draw_charged_offence(case.kind, case.form)
        register = "II" if make_offence(kind, case.offence_day).group in ("prostitution", "other") else "I"
        text = None
        if source == "TJ" and rng.random() < 0.7:
            text = f"{rng.choice(SENDERS)} {rng.randrange(10, 999)}/{received.year}"
        pp = ProsecutionFile(register, find_seat(case.municipality), received, source, sender, text, statuses=[(received, "HET")])
        pp.parties = [Party(person, "D", received, self._make_charges(case, kind, received)) for person in suspects]
        pp.parties += [Party(person, "V", received) for person in victims if rng.random() < 0.92]
        case.prosecution.append(pp)
        return pp

    def decide_on_file(self, case: Case, pp: ProsecutionFile, after: date) -> None:
        """Let the prosecution decide on a file after a day; an indictment is followed by courts and prisons."""
        rng = self.rng
        if rng.random() < 0.9:
            pp.decisions.append(Decision("FILL", pp.received + timedelta(days=rng.randrange(0, 30))))
        if rng.random() < 0.06:
            pp.statuses.append((pp.received + timedelta(days=rng.randrange(20, 60)), "PEZ"))
        day = after + timedelta(days=rng.randrange(35, 330))
        if len(pp.defendants(day)) > 1 and rng.random() < 0.07 and self.settings.may_have_several_files(case.opened):
            self._separate_defendant(case, pp, day)
        outcome = rng.choices(("AKT", "HUD", "PUSH", "open"), (66, 15, 13, 6))[0]
        if outcome != "open":
            self.apply_outcome(case, pp, outcome, day)

    def apply_outcome(self, case: Case, pp: ProsecutionFile, outcome: str, day: date) -> None:
        """Apply an outcome of the investigation: add the decisions, and what follows an indictment."""
        rng = self.rng
        pp.statuses.append((day, outcome))
        separated = {id(decision.party) for decision in pp.decisions if decision.kind == "VEC"}
        parties = [party for party in pp.defendants(day) if id(party) not in separated]
        if outcome != "AKT":
            pp.decisions += [Decision(outcome, day)] if not separated else [Decision(outcome, day, party) for party in parties]
            return
        indictment = f"AKT {id(pp)} {day}"  # numbered in numbering.py
        indicted = [party for party in parties if len(parties) == 1 or rng.random() < 0.93] or parties
        if len(indicted) == len(pp.defendants(day)) and rng.random() < 0.5:
            pp.decisions.append(Decision("AKT", day, None, indictment))
        else:
            pp.decisions += [Decision("AKT", day, party, indictment) for party in indicted]
            rest = [party for party in parties if party not in indicted]
            pp.decisions += [Decision(rng.choice(("HUD", "PUSH")), day, party) for party in rest]
        if rng.random() < 0.2:
            self._requalify_charges(case, pp, day)
        try_and_sentence(rng, self.settings, case, pp, indicted, day)

    def _requalify_charges(self, case: Case, pp: ProsecutionFile, day: date) -> None:
        """Replace the principal charges at the indictment; the former ones leave the file."""
        for party in pp.defendants(day):
            before = party.charges[0].offence
            kind = self._draw_charged_offence(before.kind, case.form)
            if before.group != "other" and kind != before.kind:
                for charge in party.charges:
                    charge.until = day
                party.charges += self._make_charges(case, kind, day)

    def _separate_defendant(self, case: Case, pp: ProsecutionFile, before: date) -> None:
        """Separate a defendant into a separate file (`VEC`), which gets its own outcome."""
        rng = self.rng
        day = pp.received + timedelta(days=rng.randrange(15, max(16, (before - pp.received).days)))
        party = rng.choice(pp.defendants(day))
        pp.decisions.append(Decision("VEC", day, party))
        new = ProsecutionFile(pp.register, pp.seat, day, pp.source, pp.sender, pp.source_text, statuses=[(day, "HET")])
        charges = [Charge(c.offence, c.form, c.principal, day) for c in party.charges if c.until is None]
        new.parties = [Party(party.person, "D", day, charges)]
        case.prosecution.append(new)
        decided = day + timedelta(days=rng.randrange(30, 260))
        self.apply_outcome(case, new, rng.choices(("AKT", "HUD", "PUSH"), (70, 15, 15))[0], decided)

    def join_files(self, case: Case, host: ProsecutionFile, second: PoliceFile, received: date, joined: date) -> None:
        """Open a second file on the matter, from a second police case, and join it to the first (`BASH`); its defendants move to the
        first."""
        defendants = [entry.person for entry in second.people if entry.role == "S"]
        pp = self.receive_report(case, received, "PK", second, defendants, [])
        second.pp, second.pp_known = pp, received + timedelta(days=self.rng.randrange(0, 9))
        pp.register, pp.merged_into, pp.merged_on = host.register, host, joined
        pp.statuses.append((joined, "BASH"))
        there = {id(party.person) for party in host.parties}
        kind = host.parties[0].charges[0].offence.kind
        for person in defendants:
            if id(person) not in there:
                host.parties.append(Party(person, "D", joined, self._make_charges(case, kind, joined)))
