"""Makes persons: residents by community, foreigners by citizenship, and relatives of other persons.

Does not belong here: who becomes a suspect or victim (`life.py`).
"""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

from sources.simulator.codes import read_names, read_places
from sources.simulator.model import Person
from sources.simulator.settings import Settings

COMMUNITIES = (("Albanian", 86), ("RAE", 6), ("Serbian", 4), ("Turkish", 2), ("Bosniak", 2))
FOREIGN_SUSPECTS = (("ALB", 50), ("SRB", 22), ("MKD", 12), ("MNE", 8), ("TUR", 4), ("BGR", 4))
FOREIGN_VICTIMS = (("ALB", 30), ("MDA", 34), ("SRB", 8), ("ROU", 8), ("BGR", 6), ("UKR", 6), ("PHL", 5), ("CHN", 3))
WEIGHTS = (4, 3, 2, 7, 6, 5, 4, 3, 2)


def compute_check_digit(first_nine: str) -> str:
    """Return the tenth digit of a personal number (docs/reference/sources-of-facts.md, Personal number)."""
    rest = 11 - sum(weight * int(digit) for weight, digit in zip(WEIGHTS, first_nine, strict=True)) % 11
    return "0" if rest >= 10 else str(rest)


def draw_person_outside_world(rng: Random, sex: str, born: range) -> Person:
    """Draw an Albanian resident who was born in one of the years `born` and does not belong to the simulated world: the person has no id
    yet, and the personal number is not reserved."""
    lists = read_names()["Albanian"]
    nine = f"1{rng.randrange(10**8):08d}"
    birth_date = date(rng.randrange(born.start, born.stop), rng.randrange(1, 13), rng.randrange(1, 28))
    home = rng.choice(list(read_places()["municipalities"]))
    person = Person(rng.choice(lists[sex]), rng.choice(lists["S"]), rng.choice(lists["M"]), sex, birth_date, "XKX", "Albanian", home, home)
    person.number = nine + compute_check_digit(nine)
    return person


def _read_name_lists(key: str) -> dict[str, list[str]]:
    """Return the lists of names of a community or country. Lists that it lacks are those of the community that it names under `like`."""
    lists = read_names()[key]
    return {**read_names()[lists["like"]], **lists} if "like" in lists else lists


class PersonMaker:
    """Makes persons, and never uses a personal number twice."""

    def __init__(self, rng: Random, settings: Settings) -> None:
        self.rng, self.settings = rng, settings
        self.persons: list[Person] = []
        self._numbers: set[str] = set()
        municipalities = read_places()["municipalities"]
        regions = read_places()["regions"]
        size = {name: sum(row[0] == region for row in municipalities.values()) for name, (region, *_) in municipalities.items()}
        self._municipalities = list(municipalities)
        self._weights = [regions[row[0]][1] / size[name] * (3 if name == regions[row[0]][0] else 1) for name, row in municipalities.items()]

    def reserve_numbers(self, numbers: set[str]) -> None:
        """Reserve personal numbers that other persons already have."""
        self._numbers |= numbers

    def draw_municipality(self) -> str:
        """Draw a municipality. Regions with more police cases are drawn more often, and within a region its seat."""
        return self.rng.choices(self._municipalities, self._weights)[0]

    def draw_personal_number(self, first: str = "") -> str:
        """Draw a personal number that nobody else has. Its first digit is `first` or, if `first` is empty, mostly 1 and sometimes 0 or
        2."""
        while True:
            lead = first or self.rng.choices("102", (80, 10, 10))[0]
            nine = lead + f"{self.rng.randrange(10**8):08d}"
            number = nine + compute_check_digit(nine)
            if number not in self._numbers:
                self._numbers.add(number)
                return number

    def _draw_birth_date(self, on: date, youngest: float, oldest: float) -> date:
        return on - timedelta(days=int(365.25 * self.rng.triangular(youngest, oldest, youngest + (oldest - youngest) * 0.3)) + 1)

    def _draw_names(self, key: str, sex: str) -> tuple[str, str, str]:
        lists = _read_name_lists(key)
        rng = self.rng
        # Some names are much more common than others: the head of each list is drawn more often.
        pick = lambda pool: pool[min(int(rng.expovariate(2.2 / len(pool))), len(pool) - 1)]  # noqa: E731
        return pick(lists[sex]), pick(lists["S"]), pick(lists["M"])

    def make_resident(self, sex: str, on: date, youngest: float = 18, oldest: float = 62, municipality: str | None = None) -> Person:
        """Make a citizen of Kosovo who is between `youngest` and `oldest` years old on the day `on`."""
        rng = self.rng
        community = rng.choices([name for name, _ in COMMUNITIES], [weight for _, weight in COMMUNITIES])[0]
        given, surname, parent = self._draw_names(community, sex)
        home = municipality if municipality and rng.random() < 0.6 else self.draw_municipality()
        born_in = home if rng.random() < 0.8 else "fsh. " + rng.choice(read_names()["villages"])
        person = Person(
            given,
            surname,
            parent,
            sex,
            self._draw_birth_date(on, youngest, oldest),
            "XKX",
            community,
            home,
            born_in,
            self.draw_personal_number(),
        )
        if sex == "F" and (on - person.born).days > 22 * 365 and rng.random() < 0.25:
            person.maiden = self._draw_names(community, sex)[1]
        return self.register_person(person)

    def make_foreigner(self, sex: str, on: date, role: str, youngest: float = 18, oldest: float = 45) -> Person:
        """Make a foreigner, mostly without a personal number. Suspects come from other countries than victims."""
        rng = self.rng
        table = FOREIGN_VICTIMS if role == "V" else FOREIGN_SUSPECTS
        country = rng.choices([name for name, _ in table], [weight for _, weight in table])[0]
        given, surname, parent = self._draw_names(country, sex)
        number = self.draw_personal_number("9") if rng.random() < 0.12 else ""
        born_in = rng.choice(read_names()[country]["born"])
        home = self.draw_municipality() if rng.random() < 0.6 else ""
        return self.register_person(
            Person(given, surname, parent, sex, self._draw_birth_date(on, youngest, oldest), country, "foreign", home, born_in, number)
        )

    def make_brother(self, relative: Person, twin: bool = False) -> Person:
        """Make a brother of a person, with the same surname, parent and home; a twin also has the same birth date."""
        rng = self.rng
        lists = _read_name_lists(relative.community if relative.community in read_names() else relative.citizenship)
        given = rng.choice([name for name in lists["M"] if name != relative.given])
        born = relative.born if twin else relative.born + timedelta(days=rng.choice((-1, 1)) * rng.randint(330, 2200))
        number = self.draw_personal_number() if relative.number else ""
        return self.register_person(
            Person(
                given,
                relative.surname,
                relative.parent,
                "M",
                born,
                relative.citizenship,
                relative.community,
                relative.municipality,
                relative.birthplace,
                number,
            )
        )

    def make_child(self, parent: Person, on: date) -> Person:
        """Make a minor child of a person. With `hard` noise, some children are registered under the personal number of the parent."""
        rng = self.rng
        sex = rng.choice("MF")
        key = parent.community if parent.community in read_names() else parent.citizenship
        given = self._draw_names(key, sex)[0]
        person = Person(
            given,
            parent.surname,
            parent.given,
            sex,
            self._draw_birth_date(on, 3, 15),
            parent.citizenship,
            parent.community,
            parent.municipality,
            parent.birthplace,
        )
        if parent.number and rng.random() < self.settings.parent_number * 4:
            person.bears_number_of = parent.number
        person.number = self.draw_personal_number() if parent.number else ""
        return self.register_person(person)

    def register_person(self, person: Person) -> Person:
        """Add a person to the world. Some get a nickname under which others know them."""
        person.nickname = read_names()["nicknames"].get(person.given, "")
        self.persons.append(person)
        return person
