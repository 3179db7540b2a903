//! The command line: what can be typed, and the only place that writes to standard output.
//!
//! One file a command, each with its arguments and, as soon as it works, its `run`; this file is the only dispatcher. `settings`
//! holds the flags that every command shares, `seclude` what the process keeps from others on its machine. The arguments of commands that are not in [`Command`] yet stand ready in their
//! files. A command answers with an [`Exit`]; what goes wrong is written to standard error in one place, here.

pub mod admin;
pub mod audit;
pub mod backup;
pub mod bench;
pub mod check;
pub mod client;
pub mod config;
pub mod connection;
pub mod demo;
pub mod doctor;
pub mod erase;
pub mod export;
pub mod import;
pub mod operator;
#[cfg(feature = "plugins")]
pub mod plugin;
pub mod schema;
mod seclude;
pub mod serve;
pub mod settings;
pub mod store;
pub mod table;
pub mod tenant;
pub mod token;
pub mod version;
pub mod webhook;

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{ConfigErrors, Environment};
use seclude::NewFiles;

/// Identity provisioning for firms that sell people's time: SCIM 2.0 in, a durable roster of people inside.
#[derive(Debug, Parser)]
#[command(name = "rosterd", version, arg_required_else_help = true, max_term_width = 100)]
#[command(after_help = AFTER_HELP)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "\
Exit codes:
  0  it was done
  1  it failed; standard error says what was expected, what was found, and what to do
  2  the command line was not understood
  3  a check looked at everything, and found something wrong

Settings come from flags, then ROSTERD_… variables, then the file named by --config, then the
defaults: see `rosterd config reference`.";

/// The commands that work.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon.
    Serve(serve::ServeArgs),
    /// Show what rosterd does, on a fresh folder and free ports.
    Demo(demo::DemoArgs),
    /// Look at settings: are they right, what holds, what is there to set.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Organisations whose people no other can see.
    #[command(subcommand)]
    Tenant(tenant::TenantCommand),
    /// Identity providers and the like: who may speak to a tenant, and in which dialect.
    #[command(subcommand)]
    Connection(connection::ConnectionCommand),
    /// Bearer tokens: the credentials of a connection.
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Clients of a connection: identity providers that fetch their tokens by themselves.
    #[command(subcommand)]
    Client(client::ClientCommand),
    /// Attributes of your own: schemas that extend users or groups, and which connections see them.
    #[command(subcommand)]
    Schema(schema::SchemaCommand),
    /// People who administer a tenant.
    #[command(subcommand)]
    Admin(admin::AdminCommand),
    /// Take people in from a CSV or JSON file: look at it first, then write.
    Import(import::ImportArgs),
    /// Write everybody with what the firm knows of them, as CSV or JSON.
    Export(export::ExportArgs),
    /// Who is told of changes: the webhooks of the settings, and what could not be delivered.
    #[command(subcommand)]
    Webhook(webhook::WebhookCommand),
    /// Operators' plugins: look at them, ask them, have the daemon load them, and see who is mapped by them.
    #[cfg(feature = "plugins")]
    #[command(subcommand)]
    Plugin(plugin::PluginCommand),
    /// Read everything in the store, and say what does not fit together.
    Check(check::CheckArgs),
    /// Write all that the store holds into one file, while the daemon runs or without one; or look whether such a file is whole.
    Backup(backup::BackupArgs),
    /// Make a data folder of a backup.
    Restore(backup::RestoreArgs),
    /// Take everything from one store engine to another, as JSON lines; make the tables of a shared database.
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Erase what is left of a person who was deleted: the values in the history.
    Erase(erase::EraseArgs),
    /// Write the store's file anew, without what was erased or removed. Needs a daemon that is stopped.
    Compact(erase::CompactArgs),
    /// The record of who changed what.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Measure this machine: rosterd's loads beside references that do as little as possible.
    Bench(bench::BenchArgs),
    /// Serve as what a benchmark compares the daemon with.
    #[command(hide = true, subcommand)]
    BenchReference(bench::ReferenceCommand),
    /// Say which version this is, and what it was built with.
    Version(version::VersionArgs),
}

impl Command {
    /// Whose the files are that it creates: its owner's alone, unless nothing in them is anybody's secret.
    const fn new_files(&self) -> NewFiles {
        match self {
            #[cfg(feature = "plugins")]
            Self::Plugin(plugin::PluginCommand::New(_) | plugin::PluginCommand::Test(_)) => NewFiles::AsUsual,
            _ => NewFiles::Owners,
        }
    }
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It was done.
    Done,
    /// It failed; why was said already.
    Failed,
    /// A check found something wrong, and said what.
    Found,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::SUCCESS,
            Exit::Failed => Self::from(1),
            // 2 is clap's, for a command line that it did not understand.
            Exit::Found => Self::from(3),
        }
    }
}

/// Settings that are wrong, on their way to standard error: one line for each problem.
#[derive(Debug, thiserror::Error)]
#[error("the settings are wrong: {0}")]
pub struct Refused(#[source] pub ConfigErrors);

/// What a command may use of the world: two streams and the variables.
pub struct World<'w> {
    /// Standard output: what was asked for.
    pub out: &'w mut dyn Write,
    /// Standard error: everything else.
    pub err: &'w mut dyn Write,
    /// The variables.
    pub environment: Environment,
}

/// What is said after a panic that nobody caught.
const DEFECT: &str = "this is a defect of rosterd, not of what you typed: it panicked; please report it with the command line, \
                      the output of rosterd version, and the log";

/// Runs what the process's arguments say.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let mut out = io::stdout().lock();
    let mut err = io::stderr();
    let mut world = World { out: &mut out, err: &mut err, environment: Environment::of_process() };
    seclude::from_others(cli.command.new_files());
    let ended = catch_unwind(AssertUnwindSafe(|| dispatch(cli.command, &mut world)));
    let ended = ended.unwrap_or_else(|_| Err(anyhow::anyhow!(DEFECT))).and_then(|exit| {
        world.out.flush()?;
        Ok(exit)
    });
    match ended {
        Ok(exit) => exit.into(),
        // `rosterd … | head` closed the pipe: it has what it wanted, and there is nobody to tell.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            match error.downcast_ref::<Refused>() {
                Some(Refused(errors)) => drop(config::report(errors, world.err)),
                None => drop(writeln!(world.err, "error: {error:#}")),
            }
            Exit::Failed.into()
        }
    }
}

fn dispatch(command: Command, world: &mut World<'_>) -> anyhow::Result<Exit> {
    match command {
        Command::Serve(args) => serve::run(&args, world),
        Command::Demo(args) => demo::run(&args, world),
        Command::Config(command) => config::run(&command, world),
        Command::Tenant(command) => tenant::run(command, world),
        Command::Connection(command) => connection::run(command, world),
        Command::Token(command) => token::run(command, world),
        Command::Client(command) => client::run(command, world),
        Command::Schema(command) => schema::run(command, world),
        Command::Admin(command) => admin::run(command, world),
        Command::Import(args) => import::run(&args, world),
        Command::Export(args) => export::run(&args, world),
        Command::Webhook(command) => webhook::run(command, world),
        #[cfg(feature = "plugins")]
        Command::Plugin(command) => plugin::run(command, world),
        Command::Check(args) => check::run(&args, world),
        Command::Backup(args) => backup::backup(&args, world),
        Command::Restore(args) => backup::restore(&args, world),
        Command::Store(command) => store::run(&command, world),
        Command::Erase(args) => erase::erase(args, world),
        Command::Compact(args) => erase::compact(&args, world),
        Command::Audit(command) => audit::run(command, world),
        Command::Bench(args) => bench::run(&args, world),
        Command::BenchReference(command) => bench::run_reference(&command, world),
        Command::Version(args) => version::run(&args, world),
    }
}

/// What a daemon of another version might answer.
fn unexpected() -> anyhow::Error {
    anyhow::anyhow!(
        "the daemon answered something else than was asked; are program and daemon of one version?"
    )
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io_error = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>());
    io_error.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use clap::{Args, CommandFactory};

    use super::*;

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    /// Commands that are not wired yet are checked all the same, so that they can be wired without surprise.
    #[test]
    fn the_arguments_that_stand_ready_are_sound() {
        fn sound<A: Args>(name: &'static str) {
            A::augment_args(clap::Command::new(name)).debug_assert();
        }
        sound::<serve::ServeArgs>("serve");
        sound::<demo::DemoArgs>("demo");
        sound::<check::CheckArgs>("check");
        sound::<erase::EraseArgs>("erase");
        sound::<erase::CompactArgs>("compact");
        tenant::TenantCommand::augment_subcommands(clap::Command::new("tenant")).debug_assert();
        connection::ConnectionCommand::augment_subcommands(clap::Command::new("connection")).debug_assert();
        token::TokenCommand::augment_subcommands(clap::Command::new("token")).debug_assert();
        client::ClientCommand::augment_subcommands(clap::Command::new("client")).debug_assert();
        admin::AdminCommand::augment_subcommands(clap::Command::new("admin")).debug_assert();
        audit::AuditCommand::augment_subcommands(clap::Command::new("audit")).debug_assert();
    }
}
