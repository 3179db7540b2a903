//! P5's reference: PostgreSQL inserting one document a transaction, with three indexes, sent by its own `pgbench`.
//!
//! As little as a database can be asked to do for a create: one prepared statement, one row, its key and two indexes of expressions, one durable
//! commit. No server in front, no history, no check but that the name is free.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::BenchError;
use super::load::{Volley, histogram};
use super::meter;
use super::people;
use super::place::Place;
use super::postgres::{Postgres, said};
use super::sum::Sum;

const DATABASE: &str = "inserts";
/// Stands in the document for the number of the person. Nine digits, and so has every number that takes its place.
const NUMBER: usize = 987_654_321;
/// The first number, here and of the daemon's creates, so that their records are equally long.
pub(super) const FIRST_NUMBER: usize = 100_000_000;
/// Numbers of nine digits, which the clients divide among them.
const NUMBERS: usize = 900_000_000;
/// Threads that send, as of every load.
const SENDERS: usize = 2;

/// The table, in a database of its own.
pub(super) struct Inserts {
    runs: usize,
}

impl Inserts {
    /// Makes the table, with as many rows as the daemon has users.
    pub(super) fn prepare(server: &Postgres, rows: usize) -> Result<Self, BenchError> {
        server.make(DATABASE)?;
        server.ask(
            DATABASE,
            "CREATE TABLE person (id uuid PRIMARY KEY, doc jsonb NOT NULL); \
             CREATE UNIQUE INDEX ON person (lower(doc->>'userName')); CREATE INDEX ON person ((doc->>'externalId'))",
        )?;
        let number = format!("cast({FIRST_NUMBER} + n as text)");
        server.ask(
            DATABASE,
            &format!("{} FROM generate_series(1, {rows}) AS n", insert("p5rows0", &number, false)),
        )?;
        for order in ["VACUUM ANALYZE person", "CHECKPOINT"] {
            server.ask(DATABASE, order)?;
        }
        Ok(Self { runs: 0 })
    }

    /// Inserts for a while, and looks whether every row is there.
    pub(super) fn measure(
        &mut self,
        sum: &mut Sum,
        server: &Postgres,
        place: &Place,
        clients: usize,
        window: Duration,
    ) -> Result<(), BenchError> {
        self.runs += 1;
        let series = format!("p5ru{:03}", self.runs);
        let each = NUMBERS / clients.max(1);
        let script = format!(
            "\\set n :n + 1\n\\set number {FIRST_NUMBER} + :client_id * {each} + :n\n{};\n",
            insert(&series, "cast(:number as text)", true)
        );
        let script = place.keep(&format!("{series}.sql"), &script)?;
        let rows = || -> Result<u64, BenchError> {
            let found = server.ask(DATABASE, "SELECT count(*) FROM person")?;
            found.parse().map_err(|_| odd(format!("counted {found:?}")))
        };
        let (before, idle, probed) =
            (rows()?, meter::children(server.pid()).len(), meter::used_by_family(server.pid()));
        // It counts in whole seconds.
        let seconds = window.as_secs() + u64::from(window.subsec_nanos() > 0);
        let log = place.path(&format!("{series}.log"));
        let mut pgbench = server.client("pgbench");
        pgbench.args(["-n", "-M", "prepared", "-D", "n=0", "--log"]);
        pgbench.arg(format!("--log-prefix={}", log.display()));
        pgbench.args(["-c", &clients.to_string(), "-j", &SENDERS.min(clients).to_string()]);
        pgbench.args(["-T", &seconds.max(1).to_string(), "-f"]).arg(&script).arg(DATABASE);
        let told = Told::read(&said(&mut pgbench, "pgbench")?)?;
        // Whom it started for its clients has used what is known of them once they have ended.
        let ended = Instant::now();
        while meter::children(server.pid()).len() > idle && ended.elapsed() < Duration::from_secs(2) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let probed = (probed, meter::used_by_family(server.pid()));
        let made = rows()?.saturating_sub(before);
        if made != told.transactions {
            return Err(odd(format!(
                "says that it committed {}, and has {made} more rows",
                told.transactions
            )));
        }
        let latency = latencies(place.folder(), &format!("{series}.log"))?;
        sum.volley(Volley { elapsed: told.elapsed, requests: made, latency, probed }, None);
        Ok(())
    }
}

/// Writes the statement that inserts a person of a series. In one that `pgbench` reads no colon may stand that is none of its own.
fn insert(series: &str, number: &str, hide_colons: bool) -> String {
    let mut document = people::body(series, NUMBER).replace('\\', r"\\").replace('\'', "''");
    if hide_colons {
        document = document.replace(':', r"\x3a");
    }
    format!(
        "INSERT INTO person (id, doc) SELECT gen_random_uuid(), cast(replace(E'{document}', '{NUMBER}', {number}) as jsonb)"
    )
}

/// What `pgbench` says of a run.
#[derive(Debug, PartialEq)]
struct Told {
    transactions: u64,
    elapsed: Duration,
}

impl Told {
    fn read(text: &str) -> Result<Self, BenchError> {
        let after = |label: &str| text.lines().find_map(|line| line.strip_prefix(label));
        let number = |label| after(label)?.split([' ', '/']).next()?.parse::<f64>().ok();
        let transactions = number("number of transactions actually processed: ");
        let per_second = number("tps = ").filter(|per_second| *per_second > 0.0);
        let (Some(transactions), Some(per_second)) = (transactions, per_second) else {
            return Err(odd(format!("said nothing that can be read: {text}")));
        };
        // Missing in versions that end at the first failure.
        if number("number of failed transactions: ").is_some_and(|failed| failed > 0.0) {
            return Err(odd(format!("had failures: {text}")));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let count = transactions as u64;
        Ok(Self { transactions: count, elapsed: Duration::from_secs_f64(transactions / per_second) })
    }
}

/// Adds up how long each transaction took: the third field of each line, in microseconds, one file for each thread.
fn latencies(folder: &Path, prefix: &str) -> Result<Histogram<u64>, BenchError> {
    let mut all = histogram();
    let named = || BenchError::system("read what pgbench wrote");
    for entry in fs::read_dir(folder).map_err(named())? {
        let entry = entry.map_err(named())?;
        if !entry.file_name().to_string_lossy().starts_with(prefix) {
            continue;
        }
        let text = fs::read_to_string(entry.path()).map_err(named())?;
        for line in text.lines() {
            let micros: Option<u64> = line.split(' ').nth(2).and_then(|micros| micros.parse().ok());
            micros.into_iter().for_each(|micros| all.saturating_record(micros.saturating_mul(1_000)));
        }
        fs::remove_file(entry.path()).map_err(named())?;
    }
    Ok(all)
}

fn odd(what: String) -> BenchError {
    BenchError::Server { who: "pgbench".into(), what }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pgbench_says_is_read_and_what_it_failed_at_is_an_error() {
        let told = "number of transactions actually processed: 300\nnumber of failed transactions: 0 (0.000%)\n\
                    latency average = 1.0 ms\ntps = 150.000000 (without initial connection time)\n";
        let expected = Told { transactions: 300, elapsed: Duration::from_secs(2) };
        assert_eq!(Told::read(told).unwrap(), expected);
        assert!(Told::read(&told.replace("failed transactions: 0", "failed transactions: 7")).is_err());
        assert!(Told::read("tps = 0").is_err());
    }

    #[test]
    fn a_script_has_no_colons_but_those_of_its_variables_and_a_record_is_as_long_as_a_create_s() {
        let statement = insert("pg1", "cast(:number as text)", true);
        assert_eq!(statement.matches(':').count(), 1);
        let theirs = people::body("p5ru001", NUMBER).len();
        // Names and titles are not equally long, so that ours are compared on the whole.
        let ours = (0..1_000).map(|n| people::body("p5t0c64", FIRST_NUMBER + n).len()).sum::<usize>() / 1_000;
        assert!(theirs.abs_diff(ours) * 50 < ours, "within two per cent: {theirs}, {ours}");
    }
}
