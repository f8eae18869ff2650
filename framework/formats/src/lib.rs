//! Contracts from and to the formats that others use.
//!
//! [`sample`] and [`import`] read a sample of data or a schema into an [`Imported`] record:
//! columns of the mesh's logical types, with notes about everything that could not be carried
//! over and guesses of personal data that are marked as guesses. [`render`] writes it as the
//! two files of a product. [`export`] writes a contract in another format. [`advise`] says what
//! a valid contract leaves out.
//!
//! The crate reads only the sample that it is given, in bounded memory, and prints nothing. No
//! value of a sample stands in an error, a note or a contract; the symbols of an enumeration
//! are the one exception, because they are what the contract promises.

mod advice;
mod draft;
pub mod export;
pub mod import;
mod names;
pub mod personal;
pub mod render;
pub mod sample;
mod source;
mod yaml;

pub use advice::advise;
pub use draft::{Choice, GUESS, Guess, Imported, Note, SOURCE_NAME};
pub use export::{Format, export};
pub use names::{record_name, snake_case};
pub use render::{Rendered, StandingTopic, Wishes, render};
pub use source::{SourceFormat, SourceOptions, detect, read_registered, read_source};
pub use yaml::to_yaml;
