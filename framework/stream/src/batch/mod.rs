//! Reading a partition in bulk, and turning what was read into Arrow.
//!
//! [`PartitionReader`] fetches ahead and hands out [`Messages`] that point into librdkafka's
//! own buffers; [`ArrowDecoder`] makes a `RecordBatch` of them. [`TopicFollower`] reads the
//! partitions of a topic and goes on with what is written. None of them knows a group.
//!
//! ```no_run
//! # use mesh_stream::{RegistryClient, StreamConfig, batch::*};
//! # async fn run(config: StreamConfig, registry: RegistryClient, product: &mesh_core::Descriptor) -> mesh_core::Result<()> {
//! let mut decoder = ArrowDecoder::new(registry, product.into(), None)?;
//! let mut reader = PartitionReader::open(&config, "bank.accounts.v1", 0, 0, 1_000)?;
//! while let Some(messages) = reader.next_batch(4096).await? {
//!     let decoded = decoder.decode(&messages.refs()).await?;
//!     // decoded.batch, decoded.rows, decoded.tombstones, decoded.bad
//! }
//! # Ok(()) }
//! ```

mod arrow;
mod follow;
mod native;
mod reader;
mod retype;

pub use self::arrow::{ArrowDecoder, ArrowTarget, BadRecord, Decoded};
pub use self::follow::{Followed, TopicFollower, Waker};
pub use self::native::{MessageRef, Messages};
pub use self::reader::PartitionReader;
