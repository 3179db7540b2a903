//! L9: what Microsoft Entra ID sends in the middle of a day, at a pace of its own: seven of ten tasks look for somebody and change them, two look for somebody
//! who is not there and create them, one changes a group. Beside it the disk: what one flush takes, and what all of these would take if there were nothing else.

use std::sync::Arc;

use serde_json::Value;

use super::Prepared;
use crate::bench::contestant::{Act, Contestant, Paced};
use crate::bench::figures::{Case, Who, case};
use crate::bench::pace::{Agenda, Expected, LANES};
use crate::bench::people;
use crate::bench::plan::SMALL_GROUP;
use crate::bench::script::{PRELOADED, Person, Scripts};
use crate::bench::session::Session;

/// Those who come into the group and go out of it again.
const MOVERS: usize = 100;
/// A prime larger than any number of users: who is changed comes from everywhere, and nobody twice before everybody was.
const STRIDE: usize = 10_000_019;
/// Which of ten tasks are which; all others change somebody.
const CREATING: [usize; 2] = [2, 6];
const GROUPING: usize = 9;

pub(super) async fn mixed(session: &mut Session<'_>) -> Prepared {
    let users = session.plan.users;
    let (scripts, turn) = (session.scripts(), session.turn);
    let movers = session.movers(MOVERS).await?;
    let group = session.group(SMALL_GROUP.min(session.plan.members)).await?;
    session.empty_of(&group, &movers).await?;
    let people = session.people(users).await?;
    let agenda = Mixed { scripts, people, movers, group, turn };
    rehearse(session, &agenda).await?;
    let record = people::body(PRELOADED, 0).len();
    let flush = Act::Append { record, group: 1 };
    let agenda: Arc<dyn Agenda> = Arc::new(agenda);
    let flushes = Act::PacedAppend { record, agenda: Arc::clone(&agenda) };
    let paced = Paced { users, agenda };
    let case = Case::of(case::MIXED, LANES).with_users(users);
    Ok(vec![
        Contestant { case: Case::of(case::MIXED, 1), who: Who::Append, act: flush },
        Contestant { case: Case::of(case::MIXED_FLUSHES, 1), who: Who::Append, act: flushes },
        Contestant { case, who: Who::Rosterd, act: Act::Paced(paced) },
    ])
}

/// Looks whether each kind of request does what it is for.
async fn rehearse(session: &mut Session<'_>, agenda: &Mixed) -> Result<(), crate::bench::BenchError> {
    let users = session.plan.users;
    let rehearsal = Mixed { turn: REHEARSAL + agenda.turn, ..agenda.clone() };
    let named = |found: &Value| found.get("userName").is_some();
    let title = rehearsal.title(0);
    let changed = move |found: &Value| found.get("title") == Some(&title.as_str().into());
    let looks = |results: u64| move |found: &Value| found.get("totalResults") == Some(&results.into());
    for (task, second) in [(0, false), (0, true), (CREATING[0], false), (CREATING[0], true)] {
        let script = rehearsal.script(task, second);
        match (task, second) {
            (0, false) => session.rehearse(users, script, case::MIXED, "one result", looks(1)).await?,
            (0, true) => session.rehearse(users, script, case::MIXED, "the new title", &changed).await?,
            (_, false) => session.rehearse(users, script, case::MIXED, "no result", looks(0)).await?,
            (_, true) => session.rehearse(users, script, case::MIXED, "a user", named).await?,
        };
    }
    // In, by the first task that has to do with the group; the second one takes out who was put in long before.
    let mut inside = rehearsal.script(GROUPING, false);
    session.send(users, &mut inside, case::MIXED).await?;
    let found = session.is_member(users, &rehearsal.group, rehearsal.moved(0)).await?;
    found.must_say("the member in the group", looks(1)).map_err(|why| why.during(case::MIXED))?;
    let movers = rehearsal.movers.clone();
    session.empty_of(&agenda.group, &movers).await
}

/// More turns than a run can have: what is rehearsed is not what is measured.
const REHEARSAL: usize = 1_000;

/// The requests of one turn.
#[derive(Clone)]
struct Mixed {
    scripts: Scripts,
    people: Arc<Vec<Person>>,
    movers: Vec<Person>,
    group: String,
    turn: usize,
}

impl Mixed {
    /// Who is changed by a task.
    fn changed(&self, task: usize) -> Option<&Person> {
        // Turns begin elsewhere.
        let at = (task + self.turn * 7_919).wrapping_mul(STRIDE).checked_rem(self.people.len())?;
        self.people.get(at)
    }

    /// What somebody is called after a task.
    fn title(&self, task: usize) -> String {
        format!("Consultant {}.{task}", self.turn)
    }

    /// The series of those who are new.
    fn series(&self) -> String {
        format!("l9t{}", self.turn)
    }

    /// Who is moved by the nth task that has to do with the group: every other one takes out who was put in fifty such tasks before.
    fn moved(&self, nth: usize) -> Option<&Person> {
        let back = if Self::puts_in(nth) { 0 } else { MOVERS / 2 };
        self.movers.get((nth / 2 + back).checked_rem(self.movers.len())?)
    }

    const fn puts_in(nth: usize) -> bool {
        nth.is_multiple_of(2)
    }

    /// One request, for a rehearsal.
    fn script(&self, task: usize, second: bool) -> crate::bench::script::Script {
        let mut request = Vec::new();
        let status = match self.write(task, second, &mut request) {
            Expected::Status(status) => status,
            Expected::Results(_) => 200,
        };
        Scripts::once(request, status)
    }
}

impl Agenda for Mixed {
    fn has_two(&self, task: usize) -> bool {
        task % 10 != GROUPING
    }

    fn write(&self, task: usize, second: bool, out: &mut Vec<u8>) -> Expected {
        let place = task % 10;
        if place == GROUPING {
            let nth = task / 10;
            let path = format!("/scim/v2/Groups/{}", self.group);
            let who = self.moved(nth).into_iter().map(|person| person.id.as_str());
            let body = if Self::puts_in(nth) { people::add_members(who) } else { people::take_out(who) };
            self.scripts.send(out, "PATCH", &path, &body);
            Expected::Status(204)
        } else if CREATING.contains(&place) {
            let series = self.series();
            if second {
                self.scripts.send(out, "POST", "/scim/v2/Users", &people::body(&series, task));
                return Expected::Status(201);
            }
            self.scripts.look_for(out, &people::user_name(&series, task));
            Expected::Results(0)
        } else {
            let Some(person) = self.changed(task) else { return Expected::Status(200) };
            if second {
                let path = format!("/scim/v2/Users/{}", person.id);
                self.scripts.send(out, "PATCH", &path, &people::entra_changes(&self.title(task)));
                return Expected::Status(200);
            }
            self.scripts.look_for(out, &people::user_name(PRELOADED, person.n));
            Expected::Results(1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mixed(people: usize) -> Mixed {
        let person = |n| Person { id: format!("id-{n}"), n };
        Mixed {
            scripts: Scripts::new("t"),
            people: Arc::new((0..people).map(person).collect()),
            movers: (0..MOVERS).map(person).collect(),
            group: "g".to_owned(),
            turn: 0,
        }
    }

    #[test]
    fn of_ten_tasks_seven_look_and_change_two_look_and_create_and_one_changes_a_group() {
        let (mixed, mut methods) = (mixed(50), std::collections::BTreeMap::new());
        for task in 0..100 {
            let mut request = Vec::new();
            mixed.write(task, mixed.has_two(task), &mut request);
            let line = crate::bench::load::first_line(&request);
            let line: Vec<&str> = line.split(['/', ' ']).filter(|part| !part.is_empty()).collect();
            *methods.entry(format!("{} {}", line[0], line[3])).or_insert(0) += 1;
        }
        let expected = [("PATCH Groups", 10), ("PATCH Users", 70), ("POST Users", 20)];
        assert_eq!(methods.into_iter().collect::<Vec<_>>(), expected.map(|(name, n)| (name.to_owned(), n)));
    }

    #[test]
    fn nobody_is_changed_twice_before_everybody_was() {
        let mixed = mixed(1_000);
        let ids: std::collections::BTreeSet<&str> =
            (0..1_000).map(|task| mixed.changed(task).unwrap().id.as_str()).collect();
        assert_eq!(ids.len(), 1_000);
    }

    #[test]
    fn who_goes_out_of_the_group_came_in_before() {
        let mixed = mixed(1);
        let mut inside = std::collections::BTreeSet::new();
        for nth in 0..1_000 {
            let who = &mixed.moved(nth).unwrap().id;
            if Mixed::puts_in(nth) {
                assert!(inside.insert(who));
            } else {
                assert!(inside.remove(who) || nth < MOVERS);
            }
        }
    }
}
