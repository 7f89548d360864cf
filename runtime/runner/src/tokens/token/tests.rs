use std::{sync::LazyLock, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use proptest::prelude::*;

use super::*;

fn key(seed: u8) -> SecretKey {
    SecretKey::from_bytes(&[seed; 32])
}

fn in_an_hour() -> SystemTime {
    SystemTime::now() + Duration::from_secs(3_600)
}

fn invitation(methods: &[&str]) -> Invitation {
    Invitation {
        name: "colleague".to_owned(),
        targets: vec!["grpc://127.0.0.1:7001".to_owned()],
        methods: methods.iter().map(ToString::to_string).collect(),
        expires: in_an_hour(),
        uses: None,
        to: None,
    }
}

fn issued(methods: &[&str]) -> Token {
    Token::issue(&key(1), invitation(methods)).unwrap()
}

fn to_methods(methods: &[&str]) -> Narrowing {
    Narrowing { methods: methods.iter().map(ToString::to_string).collect(), ..Narrowing::default() }
}

#[test]
fn a_token_says_what_it_was_issued_for() {
    let token = issued(&["a.v1.A/*", "a.v1.B/Get"]);
    let read: Token = token.to_string().parse().unwrap();
    assert_eq!(read.check(), Ok(()));
    assert_eq!((read.name(), read.id()), ("colleague".to_owned(), token.id()));
    assert_eq!(read.issuer(), *key(1).public().as_bytes());
    assert_eq!(read.targets(), ["grpc://127.0.0.1:7001"]);
    assert_eq!(read.methods(), ["a.v1.A/*", "a.v1.B/Get"]);
    assert!(token.to_string().len() < 700, "{}", token.to_string().len());
    assert!(!format!("{token:?}").contains("pwt_"));
}

#[test]
fn a_holder_narrows_a_token_without_its_issuer() {
    let token = issued(&["a.v1.A/*"]);
    let soon = SystemTime::now() + Duration::from_secs(60);
    let narrower = Narrowing {
        expires: Some(soon),
        uses: Some(3),
        to: Some([7; 32]),
        ..to_methods(&["a.v1.A/Get", "a.v1.A/List"])
    };
    let narrowed: Token = token.narrow(narrower).unwrap().to_string().parse().unwrap();
    assert_eq!(narrowed.check(), Ok(()));
    assert_eq!(narrowed.methods(), ["a.v1.A/Get", "a.v1.A/List"]);
    assert_eq!((narrowed.to(), narrowed.expires()), (Some([7; 32]), unix_seconds(soon)));
    assert_eq!((narrowed.id(), narrowed.name()), (token.id(), token.name()));
    assert_eq!(narrowed.targets(), token.targets());
    let narrowest = narrowed.narrow(to_methods(&["a.v1.A/Get"])).unwrap();
    assert_eq!(narrowest.check(), Ok(()));
    assert_eq!(narrowest.to(), Some([7; 32]));
    let ids: Vec<_> = narrowed.ids().collect();
    assert_eq!(narrowest.limits().collect::<Vec<_>>(), [(ids[1], 3)]);
    assert_eq!(narrowest.ids().count(), 3);
}

#[test]
fn a_token_cannot_be_widened() {
    let narrowing = Narrowing { to: Some([7; 32]), ..to_methods(&["a.v1.A/Get"]) };
    let token = issued(&["a.v1.A/*"]).narrow(narrowing).unwrap();
    let later = SystemTime::now() + Duration::from_secs(7_200);
    for wider in [
        to_methods(&["a.v1.A/*"]),
        to_methods(&["a.v1.A/Get", "a.v1.A/List"]),
        to_methods(&["operator"]),
        Narrowing { expires: Some(later), ..Narrowing::default() },
        Narrowing { to: Some([8; 32]), ..Narrowing::default() },
    ] {
        let refused = token.narrow(wider.clone()).unwrap_err();
        assert!(matches!(refused, InvalidToken::Widened(_)), "{wider:?}: {refused}");
    }
}

/// What a holder with tools of its own appends: a link that is signed with the token's secret and says what it likes.
fn appended(token: &Token, issuer: &SecretKey, capability: Capability, expires: Expires) -> Token {
    let secret = SecretKey::generate();
    let link = Rcan::delegating_builder(
        token.secret.as_signing_key(),
        secret.public().as_verifying_key(),
        issuer.public().as_verifying_key(),
        capability,
    );
    let mut chain = token.chain.clone();
    chain.push(link.sign(expires));
    Token::of(chain, secret).unwrap().to_string().parse().unwrap()
}

#[test]
fn a_link_that_widens_is_refused_though_its_signature_is_right() {
    let mine = Narrowing { to: Some([7; 32]), ..Narrowing::default() };
    let token = issued(&["a.v1.A/Get"]).narrow(mine).unwrap();
    let last = token.last().clone();
    let with = |change: &dyn Fn(&mut Capability)| {
        let mut capability = last.clone();
        change(&mut capability);
        appended(&token, &key(1), capability, Expires::At(unix_seconds(in_an_hour())))
    };
    assert_eq!(with(&|_| {}).check(), Ok(()), "a link that changes nothing is no widening");
    assert_eq!(with(&|link| link.methods.push("a.v1.A/List".to_owned())).check(), Err(InvalidToken::Forged));
    assert_eq!(with(&|link| link.methods = vec!["a.v1.A/*".to_owned()]).check(), Err(InvalidToken::Forged));
    assert_eq!(with(&|link| link.to = None).check(), Err(InvalidToken::Forged));
    assert_eq!(with(&|link| link.to = Some([8; 32])).check(), Err(InvalidToken::Forged));
    // A later expiry, a name and targets of a later link are without effect.
    let longer = appended(&token, &key(1), last.clone(), Expires::Never);
    assert_eq!((longer.check(), longer.expires()), (Ok(()), token.expires()));
    let named =
        with(&|link| (link.name, link.targets) = ("root".to_owned(), vec!["grpc://evil:1".to_owned()]));
    assert_eq!((named.name(), named.targets()), (token.name(), token.targets()));
    // As a delegation of another issuer it is none of this one.
    let other = appended(&token, &key(2), last, Expires::At(unix_seconds(in_an_hour())));
    assert_eq!(other.check(), Err(InvalidToken::Forged));
}

#[test]
fn links_cannot_be_left_out_exchanged_or_used_without_the_secret() {
    let token = issued(&["a.v1.A/*"]);
    let narrowed = token.narrow(to_methods(&["a.v1.A/Get"])).unwrap();
    let forged = |chain: Vec<Rcan<Capability>>, secret: &SecretKey| {
        Token::of(chain, secret.clone()).unwrap().to_string().parse::<Token>().unwrap().check()
    };
    let (first, second) = (token.chain[0].clone(), narrowed.chain[1].clone());
    assert_eq!(forged(vec![first.clone(), second.clone()], &narrowed.secret), Ok(()));
    for (chain, secret) in [
        (vec![first.clone()], &narrowed.secret),
        (vec![second.clone()], &narrowed.secret),
        (vec![second.clone(), first.clone()], &narrowed.secret),
        (vec![first.clone(), first.clone()], &token.secret),
        (vec![first, second], &token.secret),
    ] {
        assert_eq!(forged(chain, secret), Err(InvalidToken::Forged));
    }
}

#[test]
fn an_expired_token_says_so() {
    let past = SystemTime::now() - Duration::from_secs(60);
    let token = Token::issue(&key(1), Invitation { expires: past, ..invitation(&["a.v1.A/*"]) }).unwrap();
    assert!(matches!(token.check(), Err(InvalidToken::Expired(60..70))));
}

#[test]
fn a_token_is_narrowed_seven_times_at_most_and_has_bounded_parts() {
    let mut token = issued(&["a.v1.A/Get"]);
    for _ in 0..7 {
        token = token.narrow(Narrowing::default()).unwrap();
    }
    assert_eq!(token.check(), Ok(()));
    assert!(token.narrow(Narrowing::default()).unwrap_err().to_string().contains("7 times already"));
    let long = "a".repeat(600);
    let many: Vec<_> = (0..65).map(|number| format!("a.v1.A/M{number}")).collect();
    let name = |name: &str| Invitation { name: name.to_owned(), ..invitation(&["a.v1.A/Get"]) };
    for bad in [
        invitation(&[]),
        invitation(&["a.v1.A"]),
        invitation(&["member"]),
        invitation(&[&long]),
        Invitation { methods: many, ..invitation(&[]) },
        Invitation { targets: vec![long.clone()], ..invitation(&["a.v1.A/Get"]) },
        Invitation { targets: vec![String::new(); 9], ..invitation(&["a.v1.A/Get"]) },
        Invitation { uses: Some(0), ..invitation(&["a.v1.A/Get"]) },
        name(&long),
        name("a b"),
        name("a:b"),
    ] {
        let refused = Token::issue(&key(1), bad.clone()).unwrap_err();
        assert!(matches!(refused, InvalidToken::Part(_)), "{bad:?}: {refused}");
    }
}

fn bytes_of(token: &Token) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(token.to_string().strip_prefix("pwt_").unwrap()).unwrap()
}

fn text_of(bytes: &[u8]) -> String {
    format!("pwt_{}", URL_SAFE_NO_PAD.encode(bytes))
}

#[test]
fn a_cut_token_and_one_with_a_flipped_bit_are_refused() {
    let token = issued(&["a.v1.A/*"]).narrow(to_methods(&["a.v1.A/Get"])).unwrap();
    let text = token.to_string();
    for end in (0..text.len()).step_by(3) {
        assert!(text[..end].parse::<Token>().fails_or(|token| token.check().is_err()), "{end}");
    }
    let bytes = bytes_of(&token);
    for position in 0..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[position] ^= 1 << (position % 8);
        let read = text_of(&bytes).parse::<Token>();
        assert!(read.fails_or(|token| token.check().is_err()), "{position}");
    }
    let longer = text_of(&[&*bytes, &[0]].concat());
    assert!(longer.parse::<Token>().is_err());
    assert!(format!("pwt_{}", "A".repeat(MAX_TEXT_AND_MORE)).parse::<Token>().is_err());
}

const MAX_TEXT_AND_MORE: usize = 1 << 20;

/// `Result::is_none_or` for errors.
trait FailsOr<T> {
    fn fails_or(self, test: impl FnOnce(T) -> bool) -> bool;
}

impl<T, E> FailsOr<T> for Result<T, E> {
    fn fails_or(self, test: impl FnOnce(T) -> bool) -> bool {
        self.ok().is_none_or(test)
    }
}

proptest! {
    #[test]
    fn arbitrary_text_is_read_without_a_panic(text in ".{0,200}") {
        let _ = text.parse::<Token>();
        let _ = format!("pwt_{text}").parse::<Token>();
    }

    #[test]
    fn arbitrary_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(text_of(&bytes).parse::<Token>().is_err());
    }

    /// Behind a right head, so that the reader gets to each part.
    #[test]
    fn a_token_with_a_part_overwritten_is_read_without_a_panic(
        position in 0_usize..400,
        noise in prop::collection::vec(any::<u8>(), 1..40),
        cut in any::<bool>(),
    ) {
        static TOKEN: LazyLock<Vec<u8>> = LazyLock::new(|| {
            bytes_of(&issued(&["a.v1.A/*", "a.v1.B/Get"]).narrow(to_methods(&["a.v1.B/Get"])).unwrap())
        });
        let mut bytes = TOKEN.clone();
        let position = position.min(bytes.len() - 1);
        let end = (position + noise.len()).min(bytes.len());
        let before = bytes.clone();
        bytes[position..end].copy_from_slice(&noise[..end - position]);
        if cut {
            bytes.truncate(end);
        }
        if bytes != before {
            prop_assert!(text_of(&bytes).parse::<Token>().fails_or(|token| token.check().is_err()));
        }
    }

    /// Whatever a holder asks for, the narrowed token allows nothing that the token does not allow.
    #[test]
    fn no_narrowing_widens(
        own in prop::collection::vec(0_usize..8, 1..4),
        asked in prop::collection::vec(0_usize..8, 0..4),
        later in -100_i64..100,
    ) {
        const METHODS: [&str; 8] = [
            "a.v1.A/*", "a.v1.A/Get", "a.v1.A/List", "a.v1.AB/Get", "a.v1.B/*", "a.v1.B/Get", "operator", "application",
        ];
        let names = |indices: &[usize]| indices.iter().map(|index| METHODS[*index]).collect::<Vec<_>>();
        let token = issued(&names(&own));
        let expires = unix_seconds(in_an_hour()).saturating_add_signed(later);
        let expires = SystemTime::UNIX_EPOCH + Duration::from_secs(expires);
        let narrowing = Narrowing { expires: Some(expires), ..to_methods(&names(&asked)) };
        if let Ok(narrowed) = token.narrow(narrowing) {
            prop_assert_eq!(narrowed.check(), Ok(()));
            prop_assert!(narrowed.expires() <= token.expires());
            for path in ["/a.v1.A/Get", "/a.v1.A/Other", "/a.v1.AB/Get", "/a.v1.B/Get", "/c.v1.C/Get"] {
                for class in polywire_core::AccessClass::ALL {
                    let allows = |token: &Token| token.methods().iter().any(|method| {
                        method.parse::<polywire_core::access::MethodPattern>().unwrap().matches(path, class)
                    });
                    prop_assert!(!allows(&narrowed) || allows(&token), "{path} {class}");
                }
            }
        }
    }
}
