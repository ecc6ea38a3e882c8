"""What the prosecution does in a matter: files received, charges, decisions, files separated and joined.

Belongs here: drawing by chance what happens, and when. Does not belong here: the police and the inspectorate (`life.py`), courts and
prisons (`aftermath.py`).
"""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

from sources.simulator.aftermath import simulate_trial
from sources.simulator.codes import Offence, find_court_seat, make_offence
from sources.simulator.model import Case, Charge, Decision, InspectorateFile, Party, Person, PoliceFile, ProsecutionFile
from sources.simulator.settings import Settings

SENDERS = ("QPS", "OJQ", "IP", "EULEX")


def _find_form_of_exploitation(case: Case, charged_offence: Offence) -> str | None:
    """Return the form of exploitation of a charge: the form of the matter, or the form that always belongs to the offence."""
    if charged_offence.group in ("trafficking", "withholding_identity_papers"):
        return case.form
    return {"slavery": "slavery_servitude", "facilitating_prostitution": "sexual"}.get(charged_offence.group)


class Prosecutor:
    """Draws what the prosecution does with a report from the police, the inspectorate or somebody else."""

    def __init__(self, rng: Random, settings: Settings) -> None:
        self.rng, self.settings = rng, settings

    def _draw_charged_offence(self, kind: str, form: str | None) -> str:
        """Return the kind of offence that the prosecution charges. It is sometimes another kind than the police registered
        (sources-of-facts.md, Law)."""
        chance = self.rng.random()
        if kind == "trafficking" and form == "sexual" and chance < 0.12:
            return "facilitating_prostitution"
        if kind == "facilitating_prostitution" and chance < 0.09:
            return "trafficking"
        return "injury" if kind == "slavery" and chance < 0.1 else kind

    def _make_charges(self, case: Case, kind: str, since: date) -> list[Charge]:
        """Return the charges against one defendant: the principal charge, and sometimes a second one."""
        rng = self.rng
        main = make_offence(kind, case.offence_day, rng.choices("12", (8, 2))[0])
        charges = [Charge(main, _find_form_of_exploitation(case, main), True, since)]
        if rng.random() < 0.14 and main.group != "prostitution":
            kinds = ["injury", "threat", "kidnapping", "organised_crime", "weapons", "pornography"]
            if main.group == "trafficking":
                kinds += ["withholding_identity_papers", "withholding_identity_papers"]
            second = make_offence(rng.choice([name for name in kinds if name != main.kind]), case.offence_day)
            charges.append(Charge(second, _find_form_of_exploitation(case, second), False, since))
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
        """Open a file on a report, with its parties. The defendants are charged with the offence that the prosecution sees in the
        matter."""
        rng = self.rng
        kind = self._draw_charged_offence(case.kind, case.form)
        register = "II" if make_offence(kind, case.offence_day).group in ("prostitution", "other") else "I"
        text = None
        if source == "TJ" and rng.random() < 0.7:
            text = f"{rng.choice(SENDERS)} {rng.randrange(10, 999)}/{received.year}"
        prosecution_file = ProsecutionFile(
            register, find_court_seat(case.municipality), received, source, sender, text, statuses=[(received, "HET")]
        )
        prosecution_file.parties = [Party(person, "D", received, self._make_charges(case, kind, received)) for person in suspects]
        prosecution_file.parties += [Party(person, "V", received) for person in victims if rng.random() < 0.92]
        case.prosecution.append(prosecution_file)
        return prosecution_file

    def decide_on_file(self, case: Case, prosecution_file: ProsecutionFile, after: date) -> None:
        """Let the prosecution decide on a file some time after the day `after`. An indictment is followed by what courts and prisons do."""
        rng = self.rng
        if rng.random() < 0.9:
            prosecution_file.decisions.append(Decision("FILL", prosecution_file.received + timedelta(days=rng.randrange(0, 30))))
        if rng.random() < 0.06:
            prosecution_file.statuses.append((prosecution_file.received + timedelta(days=rng.randrange(20, 60)), "PEZ"))
        day = after + timedelta(days=rng.randrange(35, 330))
        if len(prosecution_file.list_defendants_on(day)) > 1 and rng.random() < 0.07 and self.settings.may_have_several_files(case.opened):
            self._separate_defendant(case, prosecution_file, day)
        outcome = rng.choices(("AKT", "HUD", "PUSH", "open"), (66, 15, 13, 6))[0]
        if outcome != "open":
            self.apply_outcome(case, prosecution_file, outcome, day)

    def apply_outcome(self, case: Case, prosecution_file: ProsecutionFile, outcome: str, day: date) -> None:
        """Apply an outcome of the investigation: add the decisions and, for an indictment, what follows it."""
        rng = self.rng
        prosecution_file.statuses.append((day, outcome))
        separated = {id(decision.party) for decision in prosecution_file.decisions if decision.kind == "VEC"}
        parties = [party for party in prosecution_file.list_defendants_on(day) if id(party) not in separated]
        if outcome != "AKT":
            prosecution_file.decisions += (
                [Decision(outcome, day)] if not separated else [Decision(outcome, day, party) for party in parties]
            )
            return
        indictment = f"AKT {id(prosecution_file)} {day}"  # numbering.py replaces this text by a number
        indicted = [party for party in parties if len(parties) == 1 or rng.random() < 0.93] or parties
        if len(indicted) == len(prosecution_file.list_defendants_on(day)) and rng.random() < 0.5:
            prosecution_file.decisions.append(Decision("AKT", day, None, indictment))
        else:
            prosecution_file.decisions += [Decision("AKT", day, party, indictment) for party in indicted]
            rest = [party for party in parties if party not in indicted]
            prosecution_file.decisions += [Decision(rng.choice(("HUD", "PUSH")), day, party) for party in rest]
        if rng.random() < 0.2:
            self._replace_principal_charges(case, prosecution_file, day)
        simulate_trial(rng, self.settings, case, prosecution_file, indicted, day)

    def _replace_principal_charges(self, case: Case, prosecution_file: ProsecutionFile, day: date) -> None:
        """Replace charges at the indictment if the prosecution now sees another offence. The former charges of the defendant leave the
        file."""
        for party in prosecution_file.list_defendants_on(day):
            before = party.charges[0].offence
            kind = self._draw_charged_offence(before.kind, case.form)
            if before.group != "other" and kind != before.kind:
                for charge in party.charges:
                    charge.until = day
                party.charges += self._make_charges(case, kind, day)

    def _separate_defendant(self, case: Case, prosecution_file: ProsecutionFile, before: date) -> None:
        """Move a defendant into a file of its own (decision `VEC`), which gets its own outcome."""
        rng = self.rng
        day = prosecution_file.received + timedelta(days=rng.randrange(15, max(16, (before - prosecution_file.received).days)))
        party = rng.choice(prosecution_file.list_defendants_on(day))
        prosecution_file.decisions.append(Decision("VEC", day, party))
        new = ProsecutionFile(
            prosecution_file.register,
            prosecution_file.seat,
            day,
            prosecution_file.source,
            prosecution_file.sender,
            prosecution_file.source_text,
            statuses=[(day, "HET")],
        )
        charges = [Charge(c.offence, c.form, c.principal, day) for c in party.charges if c.until is None]
        new.parties = [Party(party.person, "D", day, charges)]
        case.prosecution.append(new)
        decided = day + timedelta(days=rng.randrange(30, 260))
        self.apply_outcome(case, new, rng.choices(("AKT", "HUD", "PUSH"), (70, 15, 15))[0], decided)

    def join_files(self, case: Case, host: ProsecutionFile, second: PoliceFile, received: date, joined: date) -> None:
        """Open a second file on the matter, because of a second police case, and join it to the first file (status `BASH`). Its defendants
        are then in the first file."""
        defendants = [entry.person for entry in second.people if entry.role == "S"]
        prosecution_file = self.receive_report(case, received, "PK", second, defendants, [])
        second.prosecution_file, second.pp_known = prosecution_file, received + timedelta(days=self.rng.randrange(0, 9))
        prosecution_file.register, prosecution_file.merged_into, prosecution_file.merged_on = host.register, host, joined
        prosecution_file.statuses.append((joined, "BASH"))
        there = {id(party.person) for party in host.parties}
        kind = host.parties[0].charges[0].offence.kind
        for person in defendants:
            if id(person) not in there:
                host.parties.append(Party(person, "D", joined, self._make_charges(case, kind, joined)))
