//! Language tags.

/// `language`: a well-formed BCP 47 tag (RFC 5646 section 2.1). As in the reference, the irregular tags and the `x` of a
/// private use part count in the usual letter case only.
pub fn is_language(text: &str) -> bool {
    let mut subtags = text.split('-').peekable();
    let Some(primary) = subtags.next() else {
        return false;
    };
    if primary == "x" {
        return is_private_use(subtags);
    }
    if !is_alphabetic(primary, 2, 8) {
        return IRREGULAR_LANGUAGES.contains(&text);
    }
    if primary.len() <= 3 {
        for _ in 0..3 {
            if subtags
                .next_if(|subtag| is_alphabetic(subtag, 3, 3))
                .is_none()
            {
                break;
            }
        }
    }
    // Script.
    let _ = subtags.next_if(|subtag| is_alphabetic(subtag, 4, 4));
    // Region.
    let _ = subtags.next_if(|subtag| {
        is_alphabetic(subtag, 2, 2)
            || (subtag.len() == 3 && subtag.bytes().all(|byte| byte.is_ascii_digit()))
    });
    while subtags.next_if(|subtag| is_variant(subtag)).is_some() {}
    // Extensions.
    while subtags
        .next_if(|subtag| is_alphanumeric(subtag, 1, 1) && !subtag.eq_ignore_ascii_case("x"))
        .is_some()
    {
        if subtags
            .next_if(|subtag| is_alphanumeric(subtag, 2, 8))
            .is_none()
        {
            return false;
        }
        while subtags
            .next_if(|subtag| is_alphanumeric(subtag, 2, 8))
            .is_some()
        {}
    }
    match subtags.next() {
        None => true,
        Some("x") => is_private_use(subtags),
        Some(_) => IRREGULAR_LANGUAGES.contains(&text),
    }
}

/// Tags of RFC 5646 that its general rule does not cover. The other grandfathered tags do follow the rule.
const IRREGULAR_LANGUAGES: [&str; 17] = [
    "en-GB-oed",
    "i-ami",
    "i-bnn",
    "i-default",
    "i-enochian",
    "i-hak",
    "i-klingon",
    "i-lux",
    "i-mingo",
    "i-navajo",
    "i-pwn",
    "i-tao",
    "i-tay",
    "i-tsu",
    "sgn-BE-FR",
    "sgn-BE-NL",
    "sgn-CH-DE",
];

fn is_private_use<'a>(mut subtags: impl Iterator<Item = &'a str>) -> bool {
    subtags
        .next()
        .is_some_and(|subtag| is_alphanumeric(subtag, 1, 8))
        && subtags.all(|subtag| is_alphanumeric(subtag, 1, 8))
}

fn is_variant(subtag: &str) -> bool {
    is_alphanumeric(subtag, 5, 8)
        || (is_alphanumeric(subtag, 4, 4)
            && subtag.starts_with(|first: char| first.is_ascii_digit()))
}

fn is_alphabetic(subtag: &str, min: usize, max: usize) -> bool {
    (min..=max).contains(&subtag.len()) && subtag.bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn is_alphanumeric(subtag: &str, min: usize, max: usize) -> bool {
    (min..=max).contains(&subtag.len()) && subtag.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
