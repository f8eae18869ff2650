//! Who may connect, who they are and what they may do: TLS, SASL, users and access control.

pub(crate) mod acl;
mod authorize;
mod config;
mod names;
mod principal;
mod sasl;
mod scram;
mod stamp;
mod store;
mod tls;
mod users;
mod verdict;

pub(crate) use acl::Operation;
pub(crate) use authorize::{Authorizer, Resource, has_rule};
pub use config::{
    AuthorizerConfig, ClientAuth, Listener, Protocol, SaslMechanism, SecurityConfig, TlsConfig,
};
pub(crate) use principal::Principal;
pub(crate) use sasl::{Login, Logins, Progress};
pub(crate) use scram::{Credential, Hash, MAX_ITERATIONS, MIN_ITERATIONS};
pub(crate) use store::AclStore;
pub(crate) use tls::{Tls, principal as certificate_principal};
pub(crate) use users::Users;
pub use users::{ScramKeys, UsersFile, remove_user, set_password, user_names};
