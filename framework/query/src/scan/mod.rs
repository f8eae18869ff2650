//! Reading a product from Kafka.
//!
//! | file | holds |
//! |---|---|
//! | `table` | the `TableProvider`: plans a scan, with the topic's ends as they are then |
//! | `leaf` | the one node of the plan, which lets nothing be seen or pushed inside |
//! | `pump` | the thread that reads, and the bounded queue between it and the plan |
//! | `source` | messages of a range of a partition, watched for what was trimmed meanwhile |
//! | `events`, `state` | the rows of an event product, and of a state product |
//! | `history` | the older rows of an event product, from the files of its history |
//! | `stored`, `lookup` | the same from the table that is kept of it, all rows or those that a statement names |
//! | `live` | which offsets of a state product hold the latest row of their key |
//! | `narrow` | what of a topic the comparisons of a statement leave to be read |
//! | `assemble` | decoded columns and columns of the log, in the order of the projection |

mod assemble;
mod events;
mod history;
mod leaf;
mod live;
mod lookup;
mod narrow;
mod pump;
mod source;
mod state;
mod stored;
mod table;

pub(crate) use table::ProductTable;
