//! The epoch of a partition's leader, as clients learn of it, send it and are refused for it.
//! That it rises when the leader goes is shown on three nodes, see `.ci/kafka`.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::MetadataRequest;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_for_leader_epoch_response::EpochEndOffset;

use crate::api::fetch::{only, request};
use crate::api::group::{commit_request, committed};
use crate::api::list_offsets::list;
use crate::api::offset_for_leader_epoch::ask;
use crate::api::produce::produce;
use crate::batch::{Batch, records};
use crate::check::{fails, ok};
use crate::support::name;
use crate::target::{Target, Topic};

/// The epoch of a partition's leader in the metadata.
fn epoch_of(target: &Target, topic: &Topic) -> i32 {
    let request = MetadataRequest::default().with_topics(Some(vec![
        MetadataRequestTopic::default().with_name(Some(name(&topic.name))),
    ]));
    target.any().call(9, &request).topics[0].partitions[0].leader_epoch
}

#[test]
fn the_epoch_is_the_same_wherever_it_is_told() {
    let target = Target::get();
    let topic = target.topic("epochs");
    let epoch = epoch_of(target, &topic);
    assert!(epoch >= 0);
    let mut raw = target.leader(&topic, 0);
    ok(produce(&mut raw, 9, &topic, 0, &Batch::of(&["a", "b"])).error_code);
    // In the records, by time, at both ends, and by the epoch itself.
    let data = only(&raw.call(12, &request(12, &topic, 0, 0)));
    for record in records(data.records.as_ref()) {
        assert_eq!(record.partition_leader_epoch, epoch);
    }
    for asked in [-1, 0] {
        assert_eq!(
            list(&mut raw, 7, &topic, asked).leader_epoch,
            epoch,
            "for {asked}"
        );
    }
    let EpochEndOffset {
        leader_epoch,
        end_offset,
        ..
    } = ask(&mut raw, 4, &topic.name, epoch, epoch);
    assert_eq!((leader_epoch, end_offset), (epoch, 2));
}

#[test]
fn who_knows_of_a_later_epoch_is_asked_to_wait() {
    let target = Target::get();
    let topic = target.topic("later-epoch");
    let epoch = epoch_of(target, &topic);
    let mut raw = target.leader(&topic, 0);
    ok(produce(&mut raw, 9, &topic, 0, &Batch::of(&["a"])).error_code);
    for (current, error) in [
        (epoch, None),
        (-1, None),
        (epoch + 1, Some(ResponseError::UnknownLeaderEpoch)),
    ] {
        let mut asked = request(12, &topic, 0, 0);
        asked.topics[0].partitions[0].current_leader_epoch = current;
        let data = only(&raw.call(12, &asked));
        let found = ask(&mut raw, 4, &topic.name, current, epoch);
        match error {
            None => {
                ok(data.error_code);
                ok(found.error_code);
                assert_eq!(records(data.records.as_ref()).len(), 1);
            }
            Some(error) => {
                fails(data.error_code, error);
                fails(found.error_code, error);
                assert!(records(data.records.as_ref()).is_empty());
            }
        }
    }
}

/// Where the log of an epoch ends tells a consumer whether its records have been cut off.
#[test]
fn the_end_of_an_epoch_grows_with_its_log() {
    let target = Target::get();
    let topic = target.topic("epoch-end");
    let epoch = epoch_of(target, &topic);
    let mut raw = target.leader(&topic, 0);
    for wanted in 0..3 {
        assert_eq!(ask(&mut raw, 4, &topic.name, -1, epoch).end_offset, wanted);
        ok(produce(&mut raw, 9, &topic, 0, &Batch::of(&["a"])).error_code);
    }
    let later = ask(&mut raw, 4, &topic.name, -1, epoch + 1);
    ok(later.error_code);
    assert_eq!((later.leader_epoch, later.end_offset), (-1, -1));
}

#[test]
fn the_epoch_of_a_committed_offset_is_kept() {
    let target = Target::get();
    let topic = target.topic("committed-epoch");
    let group = target.unique("committed-epoch");
    let mut raw = target.coordinator(&group);
    for epoch in [3, -1] {
        let mut request = commit_request(8, &group, &topic.name, 5);
        request.topics[0].partitions[0].committed_leader_epoch = epoch;
        ok(raw.call(8, &request).topics[0].partitions[0].error_code);
        let (_, found) = committed(&mut raw, 7, &group, Some(&[(&topic.name, 0)]));
        assert_eq!(found[0].1.committed_leader_epoch, epoch);
    }
}
