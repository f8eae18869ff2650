//! An idempotent producer's batches are stored once and in order.

use kafka_protocol::ResponseError;

use crate::api::fetch::read;
use crate::api::init_producer_id::init;
use crate::api::produce::produce;
use crate::batch::{Batch, values};
use crate::check::{fails, ok};
use crate::target::Target;

#[test]
fn a_batch_sent_again_is_stored_once() {
    let target = Target::get();
    let topic = target.topic("idempotent");
    let mut raw = target.leader(&topic, 0);
    let id = init(&mut target.any(), 4).producer_id.0;
    let batch = |sequence: i32| Batch::of(&[format!("v{sequence}")]).by(id, 0, sequence);
    for sequence in 0..6 {
        let stored = produce(&mut raw, 9, &topic, 0, &batch(sequence));
        ok(stored.error_code);
        assert_eq!(stored.base_offset, i64::from(sequence));
    }
    // The last five are remembered, with their offsets.
    for sequence in 1..6 {
        let again = produce(&mut raw, 9, &topic, 0, &batch(sequence));
        ok(again.error_code);
        assert_eq!(again.base_offset, i64::from(sequence));
    }
    fails(
        produce(&mut raw, 9, &topic, 0, &batch(0)).error_code,
        ResponseError::OutOfOrderSequenceNumber,
    );
    fails(
        produce(&mut raw, 9, &topic, 0, &batch(7)).error_code,
        ResponseError::OutOfOrderSequenceNumber,
    );
    assert_eq!(
        values(&read(target, &topic, 0)),
        ["v0", "v1", "v2", "v3", "v4", "v5"]
    );
}

#[test]
fn an_older_epoch_is_fenced() {
    let target = Target::get();
    let topic = target.topic("fenced");
    let mut raw = target.leader(&topic, 0);
    let id = init(&mut target.any(), 4).producer_id.0;
    ok(produce(&mut raw, 9, &topic, 0, &Batch::of(&["new"]).by(id, 1, 0)).error_code);
    fails(
        produce(&mut raw, 9, &topic, 0, &Batch::of(&["old"]).by(id, 0, 0)).error_code,
        ResponseError::InvalidProducerEpoch,
    );
    // A new epoch begins with sequence 0.
    fails(
        produce(&mut raw, 9, &topic, 0, &Batch::of(&["gap"]).by(id, 2, 3)).error_code,
        ResponseError::OutOfOrderSequenceNumber,
    );
    ok(produce(&mut raw, 9, &topic, 0, &Batch::of(&["newer"]).by(id, 2, 0)).error_code);
    assert_eq!(values(&read(target, &topic, 0)), ["new", "newer"]);
}

/// Each partition has sequences of its own; after the largest comes 0.
#[test]
fn sequences_belong_to_a_partition_and_wrap() {
    let target = Target::get();
    let topic = target.topic_with("sequences", 2, &[]);
    let id = init(&mut target.any(), 4).producer_id.0;
    for partition in 0..2 {
        let mut raw = target.leader(&topic, partition);
        // An unknown producer may begin anywhere.
        let last = Batch::of(&["last"]).by(id, 0, i32::MAX);
        ok(produce(&mut raw, 9, &topic, partition, &last).error_code);
        let wrapped = Batch::of(&["first"]).by(id, 0, 0);
        ok(produce(&mut raw, 9, &topic, partition, &wrapped).error_code);
        assert_eq!(read(target, &topic, partition).len(), 2);
    }
}
