//! What a node says of itself and signs with its key: where it is reached, and who the members of its cluster are.

use bytes::Bytes;
use iroh_base::SecretKey;
use polywire::{Status, Truncated};
use polywire_proto::cluster::v1;

use super::key::{Key, NodeKey, SignedText, read_key};

/// Signs where this node is reached.
pub(super) fn sign_member(member: &mut v1::Member, key: &NodeKey) {
    member.signature = Bytes::copy_from_slice(&key.sign(&member_text(member)));
}

/// Checks that the member itself has said where it is reached.
///
/// # Errors
/// `Unauthenticated` otherwise.
pub(super) fn check_member(member: &v1::Member) -> Result<(), Status> {
    let key = read_key(&member.endpoint_id);
    match key.is_some_and(|key| member_text(member).is_signed_by(&key, &member.signature)) {
        true => Ok(()),
        false => Err(Status::unauthenticated(format!(
            "the addresses of node {:?} are not signed by its key: each node announces its own",
            Truncated(&member.endpoint_id)
        ))
        .not_processed()),
    }
}

fn member_text(member: &v1::Member) -> SignedText {
    let text = SignedText::new("polywire member 1")
        .field(member.endpoint_id.as_bytes())
        .field(member.name.as_bytes())
        .number(member.incarnation);
    member.targets.iter().fold(text, |text, target| text.field(target.as_bytes()))
}

/// Random bytes that the answer to a question must cover, so that it is not an older answer.
pub(super) fn challenge() -> Bytes {
    Bytes::copy_from_slice(&SecretKey::generate().to_bytes())
}

/// The longest challenge that is answered, in bytes.
const CHALLENGE: usize = 64;

/// Signs who the members are, for the node that has sent this challenge.
///
/// # Errors
/// `InvalidArgument` for a challenge that is too long.
pub(super) fn sign_status(
    status: &mut v1::StatusResponse,
    challenge: &[u8],
    key: &NodeKey,
) -> Result<(), Status> {
    if challenge.len() > CHALLENGE {
        return Err(Status::invalid_argument(format!(
            "challenge too long: expected at most {CHALLENGE} bytes, found {}",
            challenge.len()
        )));
    }
    if !challenge.is_empty() {
        status.signature = Bytes::copy_from_slice(&key.sign(&status_text(status, challenge)));
    }
    Ok(())
}

/// The key that has signed this answer to the challenge, if it is that of the node that answers.
pub(super) fn signer(status: &v1::StatusResponse, challenge: &[u8]) -> Option<Key> {
    let key = read_key(&status.this.as_ref()?.endpoint_id)?;
    status_text(status, challenge).is_signed_by(&key, &status.signature).then_some(key)
}

fn status_text(status: &v1::StatusResponse, challenge: &[u8]) -> SignedText {
    let this = status.this.as_ref().map_or("", |this| &this.endpoint_id);
    let text = SignedText::new("polywire status 2")
        .field(challenge)
        .field(this.as_bytes())
        .field(status.cluster_id.as_bytes())
        .number(status.initialized.into())
        .number(status.membership_term)
        .number(status.membership_index);
    status
        .members
        .iter()
        .fold(text, |text, member| text.field(member.endpoint_id.as_bytes()).number(member.voter.into()))
}

/// The keys of the members in this answer, and of the node that answers.
pub(super) fn keys(status: &v1::StatusResponse) -> impl Iterator<Item = Key> {
    voters(status).map(|(key, _)| key)
}

/// The same, and whether they vote.
pub(super) fn voters(status: &v1::StatusResponse) -> impl Iterator<Item = (Key, bool)> {
    let members = status.members.iter().chain(&status.this);
    members.filter_map(|member| Some((read_key(&member.endpoint_id)?, member.voter)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::key::shown;

    fn node(secret: u8) -> (NodeKey, v1::Member) {
        let key = NodeKey::new(&[secret; 32]);
        let member = v1::Member {
            endpoint_id: shown(&key.public()),
            name: "a".to_owned(),
            targets: vec!["grpc://192.0.2.1:7001".to_owned()],
            ..v1::Member::default()
        };
        (key, member)
    }

    #[test]
    fn a_members_addresses_are_said_by_that_member_alone() {
        let ((key, mut member), (another, _)) = (node(1), node(2));
        check_member(&member).unwrap_err();
        sign_member(&mut member, &another);
        check_member(&member).unwrap_err();
        sign_member(&mut member, &key);
        check_member(&member).unwrap();
        for change in [
            |member: &mut v1::Member| member.targets[0] = "grpc://192.0.2.2:7001".to_owned(),
            |member: &mut v1::Member| member.targets.push("grpc://192.0.2.2:7001".to_owned()),
            |member: &mut v1::Member| member.name.push('b'),
            |member: &mut v1::Member| member.incarnation += 1,
        ] {
            let mut changed = member.clone();
            change(&mut changed);
            check_member(&changed).unwrap_err();
        }
    }

    #[test]
    fn an_answer_is_that_to_this_challenge_by_the_node_that_it_names() {
        let ((key, this), (another, other)) = (node(1), node(2));
        let status = v1::StatusResponse { this: Some(this), ..v1::StatusResponse::default() };
        let (challenge, later) = (challenge(), challenge());
        let signed = |key: &NodeKey| {
            let mut status = status.clone();
            sign_status(&mut status, &challenge, key).unwrap();
            status
        };
        assert_eq!(signer(&signed(&key), &challenge), Some(key.public()));
        assert_eq!(signer(&signed(&key), &later), None);
        assert_eq!(signer(&signed(&another), &challenge), None);
        assert_eq!(signer(&status, &challenge), None);
        let mut more = signed(&key);
        more.members.push(other);
        assert_eq!(signer(&more, &challenge), None, "a member that it has not named");
        let mut newer = signed(&key);
        newer.membership_index += 1;
        assert_eq!(signer(&newer, &challenge), None, "another entry of the log");
    }
}
