use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its layout is looked at")]
struct Outer {
    first: Inner,
    rest: Vec<Inner>,
    itself: Option<Box<Self>>,
    pair: (u8, String),
    #[serde(default)]
    soft: u64,
    choice: Option<Choice>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its layout is looked at")]
struct Inner {
    #[serde(alias = "bytes")]
    data: Vec<u8>,
    deep: HashMap<u32, Vec<Vec<u8>>>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its layout is looked at")]
enum Choice {
    Nothing,
    Number(f64),
    Inner(Inner),
    Other(Last),
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its layout is looked at")]
struct Last {
    data: Vec<u8>,
}

#[test]
fn each_field_says_what_it_is_and_whether_it_must_be_there() {
    let layout = trace::<Outer>().unwrap();
    let Node::Struct(outer) = layout.root else { panic!("{layout:?}") };
    let outer = &layout.structs[outer];
    assert_eq!(outer.required, ["first", "rest", "pair"]);
    let Node::Struct(inner) = outer.nodes["first"] else { panic!("{outer:?}") };
    assert_eq!(outer.nodes["rest"], Node::Many(Box::new(Node::Struct(inner))));
    assert_eq!(outer.nodes["itself"], layout.root);
    assert_eq!((&outer.nodes["pair"], &outer.nodes["soft"]), (&Node::Opaque, &Node::Number));
    let inner_fields = &layout.structs[inner];
    assert_eq!(inner_fields.required, ["data", "deep"]);
    assert_eq!(inner_fields.nodes["data"], Node::Bytes);
    assert_eq!(inner_fields.nodes["deep"], Node::Map(Box::new(Node::Many(Box::new(Node::Bytes)))));
    let Node::Enum(choice) = outer.nodes["choice"] else { panic!("{outer:?}") };
    let choice = &layout.enums[choice];
    assert_eq!((&choice["Number"], &choice["Inner"]), (&Node::Number, &Node::Struct(inner)));
    let Node::Struct(last) = choice["Other"] else { panic!("{choice:?}") };
    assert_eq!(layout.structs[last].nodes["data"], Node::Bytes);
    assert_eq!(layout.structs[last].required, ["data"]);
    assert!(layout.has_loose_bytes);
}

#[test]
fn a_type_that_does_not_take_what_is_made_up_has_no_layout() {
    #[derive(Debug, Deserialize)]
    #[serde(try_from = "u8")]
    struct Odd(#[expect(dead_code, reason = "never made")] u8);

    impl TryFrom<u8> for Odd {
        type Error = &'static str;

        fn try_from(number: u8) -> Result<Self, Self::Error> {
            if number % 2 == 1 { Ok(Self(number)) } else { Err("it is even") }
        }
    }

    #[derive(Deserialize)]
    struct Holding {
        #[expect(dead_code, reason = "never made")]
        odd: Odd,
    }

    assert!(trace::<Holding>().is_none());
}
