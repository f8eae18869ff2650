//! Subschemas that judge a value by way of others that judge the same value.

use mesh_core::{Error, ErrorKind, Result};

use super::node::Node;

/// How many may stand behind each other: `$ref`, `allOf`, `not` and the like.
const MAX_IN_PLACE: usize = 100;

/// Refuses schemas that judge a value by judging the same value: no validator ends on those.
pub(super) fn in_place_is_finite(nodes: &[Node]) -> Result<()> {
    #[derive(Clone, Copy, PartialEq)]
    enum Seen {
        No,
        Open,
        Done,
    }
    let mut seen = vec![Seen::No; nodes.len()];
    for start in 0..nodes.len() {
        if seen[start] != Seen::No {
            continue;
        }
        let mut stack = vec![(start, nodes[start].in_place().collect::<Vec<_>>())];
        seen[start] = Seen::Open;
        while let Some((at, rest)) = stack.last_mut() {
            let at = *at;
            let Some(next) = rest.pop() else {
                seen[at] = Seen::Done;
                stack.pop();
                continue;
            };
            let next = next as usize;
            match seen[next] {
                Seen::Done => {}
                Seen::Open => {
                    return Err(Error::invalid(
                        "a schema refers back to itself for the same value, so that no validator \
                         would end; let the reference stand below 'properties' or 'items'",
                    ));
                }
                Seen::No => {
                    seen[next] = Seen::Open;
                    stack.push((next, nodes[next].in_place().collect()));
                }
            }
        }
    }
    // The height is bounded apart: the search above may meet a long chain in short pieces.
    let mut height = vec![0usize; nodes.len()];
    for start in 0..nodes.len() {
        let mut stack = vec![start];
        while let Some(&at) = stack.last() {
            if height[at] > 0 {
                stack.pop();
                continue;
            }
            let open: Vec<usize> = nodes[at]
                .in_place()
                .map(|id| id as usize)
                .filter(|id| height[*id] == 0)
                .collect();
            if open.is_empty() {
                let below = nodes[at].in_place().map(|id| height[id as usize]).max();
                height[at] = below.unwrap_or(0) + 1;
                stack.pop();
            } else {
                stack.extend(open);
            }
        }
        if height[start] > MAX_IN_PLACE {
            return Err(Error::new(
                ErrorKind::ResourceExhausted,
                "references and combinations of the schema are chained too deeply",
            )
            .with("limit", MAX_IN_PLACE)
            .retryable(false));
        }
    }
    Ok(())
}
