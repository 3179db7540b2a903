//! One question to a plugin, asked natively.

use super::people;
use super::surroundings::{self, Tables};
use crate::{
    Change, Claim, Claims, Context, Event, Finding, Gate, Level, Mapper, Note, Operation, Plugin, Problem,
    Psa, Reactor, User, Validator, Verdict, settings,
};

/// Begins a question: the plugin, and its settings as JSON.
///
/// ```
/// use rosterd_plugin::prelude::*;
/// use rosterd_plugin::testing;
/// # #[derive(Deserialize, JsonSchema)]
/// # struct Settings {}
/// # struct Cost;
/// # impl Plugin for Cost {
/// #     type Settings = Settings;
/// #     const READS: &'static [&'static str] = &["title"];
/// #     const WRITES: &'static [&'static str] = &["costRates"];
/// #     fn new(_: Settings) -> Result<Self, Problem> { Ok(Self) }
/// # }
/// # impl Mapper for Cost {
/// #     fn map(&self, context: &Context, user: &User, held: &Psa) -> Result<Changes, Problem> {
/// #         let mut changes = Changes::none();
/// #         if let Some(row) = lookup("rates", user.title.as_deref().unwrap_or_default())? {
/// #             changes.add_cost_rate(Rate::new(context.day()?, row.need("amount")?, &row.need("currency")?));
/// #         }
/// #         Ok(changes)
/// #     }
/// # }
///
/// let changes = testing::plugin::<Cost>("{}")
///     .table("rates", "title,amount,currency\nClerk,40,EUR\n")
///     .today("2026-07-01")
///     .user(testing::user().title("Clerk"))
///     .map()
///     .unwrap();
/// assert!(matches!(&changes[..], [Change::AddCostRate(rate)] if rate.start_date == "2026-07-01" && rate.amount == "40.00"));
/// ```
pub fn plugin<P: Plugin>(settings: &str) -> Asked<P> {
    Asked {
        settings: settings.to_owned(),
        tables: Tables::new(),
        context: people::context(),
        user: people::user().done(),
        held: Psa::default(),
        lines: Vec::new(),
        plugin: std::marker::PhantomData,
    }
}

/// A question to a plugin that is being put together.
#[derive(Debug, Clone)]
pub struct Asked<P> {
    settings: String,
    tables: Tables,
    context: Context,
    user: User,
    held: Psa,
    lines: Vec<(Level, String)>,
    plugin: std::marker::PhantomData<fn() -> P>,
}

impl<P: Plugin> Asked<P> {
    /// A table, as CSV: the first line names the columns, the first column has the keys.
    ///
    /// # Panics
    ///
    /// Where it is none: a test is then wrong.
    #[must_use]
    pub fn table(mut self, name: &str, csv: &str) -> Self {
        match surroundings::table(csv) {
            Ok(rows) => self.tables.insert(name.to_owned(), rows),
            Err(why) => panic!("the table {name}: {why}"),
        };
        self
    }

    pub(super) fn tables(mut self, tables: Tables) -> Self {
        self.tables = tables;
        self
    }

    /// The day, and midnight UTC of it.
    #[must_use]
    pub fn today(mut self, day: &str) -> Self {
        day.clone_into(&mut self.context.today);
        self.context.now = format!("{day}T00:00:00Z");
        self
    }

    /// What the directory is doing.
    #[must_use]
    pub fn operation(mut self, operation: Operation) -> Self {
        self.context.operation = operation;
        self
    }

    /// The whole context.
    #[must_use]
    pub fn context(mut self, context: Context) -> Self {
        self.context = context;
        self
    }

    /// Whom it is about.
    #[must_use]
    pub fn user(mut self, user: impl Into<User>) -> Self {
        self.user = user.into();
        self
    }

    /// What is held of them; for a validator, what is proposed.
    #[must_use]
    pub fn held(mut self, held: impl Into<Psa>) -> Self {
        self.held = held.into();
        self
    }

    /// Makes the plugin of its settings, and asks it.
    pub(super) fn ask<R>(&mut self, how: impl FnOnce(&P, &Self) -> Result<R, Problem>) -> Result<R, Problem> {
        let (answer, lines) = surroundings::with(self.tables.clone(), || {
            let plugin = P::new(settings::parse(&self.settings)?)?;
            how(&plugin, self)
        });
        self.lines = lines;
        answer
    }

    /// What was logged by the last that was asked.
    pub fn lines(&self) -> &[(Level, String)] {
        &self.lines
    }

    pub(super) fn given(&self) -> (&Context, &User, &Psa) {
        (&self.context, &self.user, &self.held)
    }

    /// Makes the plugin of its settings, and asks nothing.
    pub fn configure(&mut self) -> Result<(), Problem> {
        self.ask(|_, _| Ok(()))
    }
}

impl<P: Mapper> Asked<P> {
    /// Asks what should change.
    pub fn map(&mut self) -> Result<Vec<Change>, Problem> {
        self.ask(|plugin, asked| plugin.map(&asked.context, &asked.user, &asked.held).map(Vec::from))
    }
}

impl<P: Validator> Asked<P> {
    /// Asks what is wrong.
    pub fn validate(&mut self) -> Result<Vec<Finding>, Problem> {
        self.ask(|plugin, asked| plugin.validate(&asked.context, &asked.user, &asked.held))
    }
}

impl<P: Gate> Asked<P> {
    /// Asks whether they may come in.
    pub fn admit(&mut self) -> Result<Verdict, Problem> {
        self.ask(|plugin, asked| plugin.admit(&asked.context, &asked.user))
    }
}

impl<P: Claims> Asked<P> {
    /// Asks what to tell a program.
    pub fn claims(&mut self, client_id: &str, scopes: &[&str]) -> Result<Vec<Claim>, Problem> {
        let scopes: Vec<String> = scopes.iter().map(|&scope| scope.to_owned()).collect();
        self.ask(|plugin, asked| plugin.claims(&asked.context, &asked.user, &asked.held, client_id, &scopes))
    }
}

impl<P: Reactor> Asked<P> {
    /// Tells it of an event.
    pub fn on_event(&mut self, event: impl Into<Event>) -> Result<Vec<Note>, Problem> {
        let event = event.into();
        self.ask(|plugin, asked| plugin.on_event(&asked.context, &event))
    }
}
