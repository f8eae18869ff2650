//! A rebalance step by step: who is told of it, who is fenced by it, and how members that
//! leave, fall silent or come late are dealt with.

use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{DescribeGroupsRequest, JoinGroupRequest, JoinGroupResponse};
use kafka_protocol::protocol::StrBytes;

use crate::api::group::{
    commit_request, enter, heartbeat, join, join_request, leave, sync_request, when_loaded,
};
use crate::check::{fails, ok};
use crate::support::{Raw, string};
use crate::target::{Target, eventually};

const JOIN: i16 = 5;
const SYNC: i16 = 3;

/// A connection of a member to its coordinator, with what it last joined with.
struct Party {
    raw: Raw,
    group: String,
    joined: JoinGroupResponse,
}

impl Party {
    fn sync(&mut self, assignments: &[(&StrBytes, &str)]) -> (i16, String) {
        let request = sync_request(SYNC, &self.group, &self.joined, assignments);
        let response = self.raw.call(SYNC, &request);
        let assignment = String::from_utf8(response.assignment.to_vec()).unwrap();
        (response.error_code, assignment)
    }

    fn heartbeat(&mut self) -> i16 {
        let Self { raw, group, joined } = self;
        heartbeat(raw, 3, group, &joined.member_id, joined.generation_id)
    }

    fn commit(&mut self, topic: &str) -> i16 {
        let request = commit_request(7, &self.group, topic, 1)
            .with_member_id(self.joined.member_id.clone())
            .with_generation_id_or_member_epoch(self.joined.generation_id);
        self.raw.call(7, &request).topics[0].partitions[0].error_code
    }

    fn ask_to_join(&mut self) {
        let request = join_request(JOIN, &self.group, &self.joined.member_id);
        self.raw.send(JOIN, &request);
    }

    fn take_joined(&mut self) {
        self.joined = self.raw.receive::<JoinGroupRequest>(JOIN).1;
        ok(self.joined.error_code);
    }

    fn leads(&self) -> bool {
        self.joined.leader == self.joined.member_id
    }

    fn leave(&mut self) {
        ok(leave(&mut self.raw, 3, &self.group, &self.joined.member_id));
    }
}

/// The first member of a new group.
fn first(target: &Target, label: &str) -> Party {
    let group = target.unique(label);
    let mut raw = target.coordinator(&group);
    let joined = join(&mut raw, JOIN, &group, &StrBytes::default());
    ok(joined.error_code);
    let mut party = Party { raw, group, joined };
    let id = party.joined.member_id.clone();
    assert_eq!(party.sync(&[(&id, "all")]), (0, "all".to_owned()));
    party
}

/// Another member, who has an id and waits for the others to join again.
fn newcomer(target: &Target, group: &str) -> Party {
    let mut raw = target.coordinator(group);
    let joined = when_loaded(|| {
        let request = join_request(JOIN, group, &StrBytes::default());
        let response = raw.call(JOIN, &request);
        (response.error_code, response)
    });
    fails(joined.error_code, ResponseError::MemberIdRequired);
    let mut party = Party {
        raw,
        group: group.to_owned(),
        joined,
    };
    party.ask_to_join();
    party
}

/// Both join, the leader gives each its half.
fn share(one: &mut Party, two: &mut Party) {
    let rebalancing = ResponseError::RebalanceInProgress.code();
    eventually(|| (one.heartbeat() == rebalancing).then_some(()));
    one.ask_to_join();
    one.take_joined();
    two.take_joined();
    halves(one, two);
}

fn halves(one: &mut Party, two: &mut Party) {
    assert_eq!(one.joined.generation_id, two.joined.generation_id);
    assert_eq!(one.joined.leader, two.joined.leader);
    let (leader, follower) = match one.leads() {
        true => (one, two),
        false => (two, one),
    };
    let ids: Vec<_> = leader
        .joined
        .members
        .iter()
        .map(|member| &member.member_id)
        .collect();
    assert_eq!(ids.len(), 2);
    assert!(ids.contains(&&follower.joined.member_id));
    assert!(
        follower.joined.members.is_empty(),
        "only the leader learns who is there"
    );
    let (own, other) = (
        leader.joined.member_id.clone(),
        follower.joined.member_id.clone(),
    );
    assert_eq!(
        leader.sync(&[(&own, "left"), (&other, "right")]),
        (0, "left".to_owned())
    );
    assert_eq!(follower.sync(&[]), (0, "right".to_owned()));
    for party in [leader, follower] {
        ok(party.heartbeat());
    }
}

fn state(target: &Target, group: &str) -> String {
    let request = DescribeGroupsRequest::default().with_groups(vec![string(group).into()]);
    let response = target.coordinator(group).call(5, &request);
    response.groups[0].group_state.to_string()
}

#[test]
fn a_generation_ends_when_another_member_comes() {
    let target = Target::get();
    let topic = target.topic("generation");
    let mut one = first(target, "generation");
    ok(one.commit(&topic.name));
    let before = one.joined.generation_id;
    let mut two = newcomer(target, &one.group.clone());
    eventually(|| (state(target, &one.group) == "PreparingRebalance").then_some(()));
    // What the old generation has done may still be committed.
    ok(one.commit(&topic.name));
    share(&mut one, &mut two);
    assert_eq!(one.joined.generation_id, before + 1);
    assert_eq!(state(target, &one.group), "Stable");

    // Who still believes in the generation before is fenced.
    let current = one.joined.generation_id;
    one.joined.generation_id = before;
    fails(one.heartbeat(), ResponseError::IllegalGeneration);
    fails(one.commit(&topic.name), ResponseError::IllegalGeneration);
    fails(one.sync(&[]).0, ResponseError::IllegalGeneration);
    one.joined.generation_id = current;
    ok(one.heartbeat());
    ok(one.commit(&topic.name));
}

/// Between the answers to joining and the leader's assignment nobody may commit.
#[test]
fn nothing_is_committed_while_the_assignment_is_not_known() {
    let target = Target::get();
    let topic = target.topic("assignment");
    let mut one = first(target, "assignment");
    let mut two = newcomer(target, &one.group.clone());
    let rebalancing = ResponseError::RebalanceInProgress.code();
    eventually(|| (one.heartbeat() == rebalancing).then_some(()));
    one.ask_to_join();
    one.take_joined();
    two.take_joined();
    assert_eq!(state(target, &one.group), "CompletingRebalance");
    for party in [&mut one, &mut two] {
        fails(
            party.commit(&topic.name),
            ResponseError::RebalanceInProgress,
        );
        ok(party.heartbeat());
    }
    halves(&mut one, &mut two);
    ok(one.commit(&topic.name));
}

#[test]
fn who_leaves_hands_over_and_is_unknown() {
    let target = Target::get();
    let mut one = first(target, "leaves");
    let mut two = newcomer(target, &one.group.clone());
    share(&mut one, &mut two);
    // The leader goes; the other leads.
    let (mut stays, mut goes) = match one.leads() {
        true => (two, one),
        false => (one, two),
    };
    goes.leave();
    fails(goes.heartbeat(), ResponseError::UnknownMemberId);
    fails(stays.heartbeat(), ResponseError::RebalanceInProgress);
    stays.ask_to_join();
    stays.take_joined();
    assert!(stays.leads());
    let id = stays.joined.member_id.clone();
    assert_eq!(stays.sync(&[(&id, "all")]), (0, "all".to_owned()));

    stays.leave();
    let left = state(target, &stays.group);
    assert!(["Empty", "Dead"].contains(&left.as_str()), "{left}");
    fails(stays.heartbeat(), ResponseError::UnknownMemberId);
}

/// Who does not join again within the rebalance's time-out is left behind.
#[test]
fn who_does_not_join_again_is_left_behind() {
    let target = Target::get();
    let group = target.unique("behind");
    let mut raw = target.coordinator(&group);
    let ask = |id: &StrBytes| {
        join_request(JOIN, &group, id)
            .with_session_timeout_ms(1_000)
            .with_rebalance_timeout_ms(1_000)
    };
    let joined = enter(&mut raw, JOIN, ask);
    ok(joined.error_code);
    let mut behind = Party { raw, group, joined };
    let id = behind.joined.member_id.clone();
    ok(behind.sync(&[(&id, "all")]).0);
    let mut late = newcomer(target, &behind.group.clone());
    // It lives, as its heartbeats say, and does not join.
    let unknown = ResponseError::UnknownMemberId.code();
    eventually(|| {
        std::thread::sleep(Duration::from_millis(100));
        (behind.heartbeat() == unknown).then_some(())
    });
    late.take_joined();
    assert!(late.leads());
    assert_eq!(late.joined.members.len(), 1);
}

/// A leader that joins again has a rebalance begun; a follower is told its generation.
#[test]
fn a_leader_that_joins_again_begins_a_rebalance() {
    let target = Target::get();
    let mut one = first(target, "again");
    let mut two = newcomer(target, &one.group.clone());
    share(&mut one, &mut two);
    let generation = one.joined.generation_id;
    let (mut leader, mut follower) = match one.leads() {
        true => (one, two),
        false => (two, one),
    };
    follower.ask_to_join();
    follower.take_joined();
    assert_eq!(follower.joined.generation_id, generation);
    ok(leader.heartbeat());

    leader.ask_to_join();
    let rebalancing = ResponseError::RebalanceInProgress.code();
    eventually(|| (follower.heartbeat() == rebalancing).then_some(()));
    follower.ask_to_join();
    leader.take_joined();
    follower.take_joined();
    assert_eq!(leader.joined.generation_id, generation + 1);
    halves(&mut leader, &mut follower);
}

/// Members must have a way of assigning in common; the one that all know is taken.
#[test]
fn the_protocol_that_all_know_is_taken() {
    let target = Target::get();
    let group = target.unique("protocols");
    let with = |id: &StrBytes, names: &[&str]| {
        let mut request = join_request(JOIN, &group, id);
        let protocol = request.protocols[0].clone();
        request.protocols = names
            .iter()
            .map(|name| protocol.clone().with_name(string(name)))
            .collect();
        request
    };
    let mut raw = target.coordinator(&group);
    let joined = enter(&mut raw, JOIN, |id| with(id, &["range", "roundrobin"]));
    let given = joined.member_id.clone();
    assert_eq!(joined.protocol_name, Some(string("range")));
    let mut one = Party {
        raw,
        group: group.clone(),
        joined,
    };
    ok(one.sync(&[(&given, "all")]).0);

    let mut raw = target.coordinator(&group);
    let joined = raw.call(JOIN, &with(&StrBytes::default(), &["unheard"]));
    fails(joined.error_code, ResponseError::InconsistentGroupProtocol);
    let joined = raw.call(JOIN, &with(&StrBytes::default(), &["roundrobin"]));
    let id = joined.member_id.clone();
    let mut two = Party {
        raw,
        group: group.clone(),
        joined,
    };
    two.raw.send(JOIN, &with(&id, &["roundrobin"]));
    let rebalancing = ResponseError::RebalanceInProgress.code();
    eventually(|| (one.heartbeat() == rebalancing).then_some(()));
    one.raw.send(JOIN, &with(&given, &["range", "roundrobin"]));
    one.take_joined();
    two.take_joined();
    for party in [&one, &two] {
        assert_eq!(party.joined.protocol_name, Some(string("roundrobin")));
    }
}
