//! From a plugin to what a component exports.

use std::cell::RefCell;
use std::rc::Rc;

use crate::bindings::lifecycle::exports::rosterd::plugin::lifecycle::Manifest;
use crate::{Plugin, Problem, settings};

/// Makes a component of a plugin: `register!(MyPlugin: Mapper)`, or with several hooks `register!(MyPlugin: Mapper, Validator)`.
///
/// Stands once in a crate, beside the plugin. Its name and version for the manifest are those of the crate. Built for
/// `wasm32-unknown-unknown` it exports the hooks that are named; built for anything else it is what [`testing`](crate::testing) asks.
#[macro_export]
macro_rules! register {
    ($plugin:ident: $($hook:ident),+ $(,)?) => {
        #[doc(hidden)]
        #[allow(unused_qualifications, clippy::pedantic)]
        const _: () = {
            ::std::thread_local! {
                static MADE: ::std::cell::RefCell<::std::option::Option<::std::rc::Rc<$plugin>>> =
                    const { ::std::cell::RefCell::new(::std::option::Option::None) };
            }

            #[doc(hidden)]
            struct Component;

            impl $crate::bindings::lifecycle::exports::rosterd::plugin::lifecycle::Guest for Component {
                fn describe() -> $crate::bindings::lifecycle::exports::rosterd::plugin::lifecycle::Manifest {
                    $crate::__private::describe::<$plugin>(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
                }
                fn configure(settings: ::std::string::String) -> ::std::result::Result<(), $crate::Problem> {
                    MADE.with(|made| $crate::__private::configure(made, &settings))
                }
            }
            #[cfg(target_arch = "wasm32")]
            $crate::bindings::lifecycle::export_lifecycle!(Component with_types_in $crate::bindings::lifecycle);

            $($crate::register!(@hook $hook $plugin);)+

            // Natively nobody but tests asks, and all of the plugin would count as dead code.
            #[allow(dead_code)]
            fn alive(_: $plugin, _: Component) {}

            #[cfg(not(target_arch = "wasm32"))]
            impl $crate::testing::Registered for $plugin {
                $($crate::register!(@native $hook $plugin);)+
            }
        };
    };

    (@hook Mapper $plugin:ident) => {
        impl $crate::bindings::mapper::exports::rosterd::plugin::mapper::Guest for Component {
            fn map_user(
                context: $crate::Context,
                user: $crate::User,
                held: $crate::Psa,
            ) -> ::std::result::Result<::std::vec::Vec<$crate::Change>, $crate::Problem> {
                let plugin = MADE.with($crate::__private::with)?;
                $crate::Mapper::map(&*plugin, &context, &user, &held).map(::std::convert::Into::into)
            }
        }
        #[cfg(target_arch = "wasm32")]
        $crate::bindings::mapper::export_mapper!(Component with_types_in $crate::bindings::mapper);
    };
    (@hook Validator $plugin:ident) => {
        impl $crate::bindings::validator::exports::rosterd::plugin::validator::Guest for Component {
            fn validate(
                context: $crate::Context,
                user: $crate::User,
                proposed: $crate::Psa,
            ) -> ::std::result::Result<::std::vec::Vec<$crate::Finding>, $crate::Problem> {
                let plugin = MADE.with($crate::__private::with)?;
                $crate::Validator::validate(&*plugin, &context, &user, &proposed)
            }
        }
        #[cfg(target_arch = "wasm32")]
        $crate::bindings::validator::export_validator!(Component with_types_in $crate::bindings::validator);
    };
    (@hook Gate $plugin:ident) => {
        impl $crate::bindings::gate::exports::rosterd::plugin::gate::Guest for Component {
            fn admit(
                context: $crate::Context,
                user: $crate::User,
            ) -> ::std::result::Result<$crate::Verdict, $crate::Problem> {
                let plugin = MADE.with($crate::__private::with)?;
                $crate::Gate::admit(&*plugin, &context, &user)
            }
        }
        #[cfg(target_arch = "wasm32")]
        $crate::bindings::gate::export_gate!(Component with_types_in $crate::bindings::gate);
    };
    (@hook Claims $plugin:ident) => {
        impl $crate::bindings::claims::exports::rosterd::plugin::claims::Guest for Component {
            fn claims(
                context: $crate::Context,
                user: $crate::User,
                held: $crate::Psa,
                client_id: ::std::string::String,
                scopes: ::std::vec::Vec<::std::string::String>,
            ) -> ::std::result::Result<::std::vec::Vec<$crate::Claim>, $crate::Problem> {
                let plugin = MADE.with($crate::__private::with)?;
                $crate::Claims::claims(&*plugin, &context, &user, &held, &client_id, &scopes)
            }
        }
        #[cfg(target_arch = "wasm32")]
        $crate::bindings::claims::export_claims!(Component with_types_in $crate::bindings::claims);
    };
    (@hook Reactor $plugin:ident) => {
        impl $crate::bindings::reactor::exports::rosterd::plugin::reactor::Guest for Component {
            fn on_event(
                context: $crate::Context,
                event: $crate::Event,
            ) -> ::std::result::Result<::std::vec::Vec<$crate::Note>, $crate::Problem> {
                let plugin = MADE.with($crate::__private::with)?;
                $crate::Reactor::on_event(&*plugin, &context, &event)
            }
        }
        #[cfg(target_arch = "wasm32")]
        $crate::bindings::reactor::export_reactor!(Component with_types_in $crate::bindings::reactor);
    };

    (@native Mapper $plugin:ident) => {
        fn mapper() -> ::std::option::Option<$crate::testing::AskMapper<Self>> {
            ::std::option::Option::Some(<Self as $crate::Mapper>::map)
        }
    };
    (@native Validator $plugin:ident) => {
        fn validator() -> ::std::option::Option<$crate::testing::AskValidator<Self>> {
            ::std::option::Option::Some(<Self as $crate::Validator>::validate)
        }
    };
    (@native Gate $plugin:ident) => {
        fn gate() -> ::std::option::Option<$crate::testing::AskGate<Self>> {
            ::std::option::Option::Some(<Self as $crate::Gate>::admit)
        }
    };
    (@native Claims $plugin:ident) => {
        fn claims() -> ::std::option::Option<$crate::testing::AskClaims<Self>> {
            ::std::option::Option::Some(<Self as $crate::Claims>::claims)
        }
    };
    (@native Reactor $plugin:ident) => {
        fn reactor() -> ::std::option::Option<$crate::testing::AskReactor<Self>> {
            ::std::option::Option::Some(<Self as $crate::Reactor>::on_event)
        }
    };
}

/// Says what the plugin is.
pub fn describe<P: Plugin>(name: &str, version: &str) -> Manifest {
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    Manifest {
        name: name.to_owned(),
        version: version.to_owned(),
        settings_schema: P::SCHEMA.map_or_else(settings::schema::<P::Settings>, str::to_owned),
        reads: names(P::READS),
        writes: names(P::WRITES),
    }
}

/// Makes the plugin of its settings and keeps it.
pub fn configure<P: Plugin>(made: &RefCell<Option<Rc<P>>>, text: &str) -> Result<(), Problem> {
    #[cfg(target_arch = "wasm32")]
    std::panic::set_hook(Box::new(|panic| crate::log::write(crate::Level::Error, &panic.to_string())));
    let plugin = P::new(settings::parse(text)?)?;
    *made.borrow_mut() = Some(Rc::new(plugin));
    Ok(())
}

/// Hands the plugin out that was made.
pub fn with<P>(made: &RefCell<Option<Rc<P>>>) -> Result<Rc<P>, Problem> {
    made.borrow().clone().ok_or_else(|| Problem::internal("the host asked before it configured"))
}
