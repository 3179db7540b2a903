//! The order of things: fill, measure, add up, clean up.

use std::io::Write;

use super::BenchError;
use super::figures::{Conditions, Figures};
use super::loads::LOADS;
use super::place::Place;
use super::plan::Plan;
use super::postgres::Postgres;
use super::script::Scripts;
use super::session::Session;
use super::storage::must_have_room;
use super::which::Engine;
use super::world::Site;
use super::{goals, meter};
use crate::chance::{Chance, SystemChance};
use crate::clock::{Clock, SystemClock};

/// Threads that send. The machine is shared with the server, and sending is cheap.
const SENDERS: usize = 2;

/// Runs a plan from an empty folder to the figures. Tells its progress.
pub fn run(plan: &Plan, progress: &mut (dyn Write + Send)) -> Result<Figures, BenchError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(SENDERS)
        .enable_all()
        .build()
        .map_err(BenchError::system("start the threads that send"))?;
    runtime.block_on(measure(plan, progress))
}

async fn measure(plan: &Plan, progress: &mut (dyn Write + Send)) -> Result<Figures, BenchError> {
    let load_average_before = meter::load_average();
    let place = Place::make(&plan.folder)?;
    must_have_room(place.folder(), plan.users_in_all())?;
    let folder_in_memory = meter::is_in_memory(place.folder());
    let token = token();
    let token_file = place.keep("token", &token)?;
    let scripts = Scripts::new(&token);
    let postgres = match plan.engine {
        Engine::Redb => None,
        Engine::Postgres => Some(Postgres::start(&place)?),
    };
    let (plugins, cache_mib) = (plan.plugins.clone(), plan.cache_mib);
    let site = Site { place, token, token_file, scripts, postgres, plugins, cache_mib };
    let mut session = Session::new(plan, site, progress);
    let mut left_out = Vec::new();
    for load in LOADS.iter().filter(|load| plan.has(load)) {
        match session.play(load).await {
            Err(BenchError::Missing(what)) if !plan.insists => {
                session.tell(format_args!("{} is left out: {what}", load.name));
                left_out.push(format!("{} is left out: {what}", load.name));
            }
            other => other?,
        }
    }
    let (rows, daemons, storage) = session.end().await?;
    let goals = goals::goals(&rows, &daemons, storage.as_ref(), plan.cache_bytes);
    let run = Conditions {
        version: env!("CARGO_PKG_VERSION"),
        optimised: !cfg!(debug_assertions),
        machine: meter::machine(),
        ended: SystemClock.now().strftime("%F %T UTC").to_string(),
        load_average_before,
        cache_bytes: plan.cache_bytes,
        folder_in_memory,
        engine: plan.engine,
        users: plan.users,
        members: plan.members,
        seconds: plan.window.as_secs_f64(),
        turns: plan.turns,
        rate: plan.pace.per_second,
        steady_seconds: plan.pace.time.as_secs_f64(),
    };
    Ok(Figures { run, left_out, rows, daemons, storage, goals })
}

/// Makes a token that is good for this run.
fn token() -> String {
    use std::fmt::Write as _;
    let chance: &dyn Chance = &SystemChance;
    let mut token = String::from("bench-");
    for byte in chance.secret() {
        // Writing to a string cannot fail.
        let _ = write!(token, "{byte:02x}");
    }
    token
}
