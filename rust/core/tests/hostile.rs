//! Messages made to exhaust the stack, the memory or the time.

mod message;

use message::{any_record, fate, record_json};

fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

#[test]
fn a_thousand_levels_pass_and_no_more() {
    // The message itself is the first level.
    assert_eq!(fate(any_record(&nested(999))), "create");
    assert_eq!(record_json(any_record(&nested(999))), Some(nested(999)));
    assert_eq!(fate(any_record(&nested(1000))), "dead:too_deep");
    assert_eq!(fate(nested(1000)), "ignored:unknown_type");
    assert_eq!(fate(nested(1001)), "dead:too_deep");
    let objects = format!("{}1{}", r#"{"a":"#.repeat(999), "}".repeat(999));
    assert_eq!(record_json(any_record(&objects)), Some(objects));
}

#[test]
fn any_nesting_is_read_without_the_stack() {
    assert_eq!(fate(any_record(&nested(1_000_000))), "dead:too_deep");
    let objects = format!("{}1{}", r#"{"":"#.repeat(200_000), "}".repeat(200_000));
    assert_eq!(fate(any_record(&objects)), "dead:too_deep");
    // Its place among the members does not matter.
    let last = format!(r#"{{"a":0,"b":-2,"c":{}}}"#, nested(1001));
    assert_eq!(fate(last), "dead:too_deep");
    // What is no JSON is that first.
    assert_eq!(fate("[".repeat(1_000_000)), "dead:not_json");
    assert_eq!(fate(r#"{"a":"#.repeat(2_000_000)), "dead:not_json");
}

#[test]
fn the_size_is_judged_first() {
    let limit = 16 << 20;
    let spaces = |length: usize| format!("{}0", " ".repeat(length - 1));
    assert_eq!(fate(spaces(limit)), "ignored:empty");
    assert_eq!(fate(spaces(limit + 1)), "dead:too_big");
    assert_eq!(fate("x".repeat(limit + 1)), "dead:too_big");
}

#[test]
fn large_objects_take_no_square_time() {
    // A square of this would be minutes.
    const COUNT: usize = 100_000;
    let object = |key: &dyn Fn(usize) -> String| {
        let members: Vec<String> = (0..COUNT).map(|n| format!("\"{}\":{n}", key(n))).collect();
        format!("{{{}}}", members.join(","))
    };
    let different = object(&|n| format!("k{n}"));
    assert_eq!(record_json(any_record(&different)), Some(different));
    let same = object(&|_| "k".to_owned());
    assert_eq!(
        record_json(any_record(&same)),
        Some(format!(r#"{{"k":{}}}"#, COUNT - 1))
    );
    let twice = object(&|n| format!("k{}", n % (COUNT / 2)));
    assert!(
        record_json(any_record(&twice)).is_some_and(|json| json.starts_with(r#"{"k0":50000,"#))
    );
    let descending = object(&|n| (COUNT - n).to_string());
    assert!(
        record_json(any_record(&descending)).is_some_and(|json| json.starts_with(r#"{"1":99999,"#))
    );
    let no_proto = object(&|_| "__proto__".to_owned());
    assert_eq!(record_json(any_record(&no_proto)).as_deref(), Some("{}"));
}

#[test]
fn long_tokens_take_no_square_time() {
    let digits = "1".repeat(2_000_000);
    assert_eq!(record_json(any_record(&digits)).as_deref(), Some("null"));
    let escapes = format!("\"{}\"", r"\ud800".repeat(500_000));
    assert_eq!(record_json(any_record(&escapes)), Some(escapes));
    let base58 = format!(r#"{{"$link":"z{}"}}"#, "1".repeat(2_000_000));
    assert_eq!(fate(any_record(&base58)), "dead:bad_record");
    let path = format!(
        "{}{{\"$link\":\"\"}}{}",
        r#"{"0123456789":"#.repeat(900),
        "}".repeat(900)
    );
    let cause = fate(any_record(&path));
    assert!(cause.starts_with("dead:bad_record:0123456789/0123") && cause.chars().count() < 200);
}
