//! Texts that the kubelet expands: the values of variables, and `subPathExpr`.
//!
//! In them `$(NAME)` becomes the value of a variable of the container, and `$$` becomes `$`. So a
//! value that its author controls must never reach a container as it is: with
//! `http://evil/$(DB_PASSWORD)` in an annotation, the kubelet would hand over a variable of pods
//! that the annotation's author cannot read. Here the type decides: every text is a literal, and
//! only this file can write a reference.

/// Our variable with the pod's name, to which other variables can refer.
pub(crate) const POD_NAME: &str = "PODROLE_POD_NAME";

/// A text that the kubelet expands to what podrole meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expression(String);

/// A part of a text as the kubelet reads it.
enum Segment<'a> {
    Literal(&'a str),
    /// The name of the variable.
    Reference(&'a str),
}

impl Expression {
    /// Expands to `text` itself, whatever it contains.
    pub(super) fn literal(text: &str) -> Self {
        Self(text.replace('$', "$$"))
    }

    /// Expands to the pieces with the pod's name between each two. The container must have the
    /// variable with the pod's name.
    pub(super) fn around_pod_name<'a>(pieces: impl IntoIterator<Item = &'a str>) -> Self {
        let pieces: Vec<String> = pieces.into_iter().map(|it| Self::literal(it).0).collect();
        Self(pieces.join(&reference(POD_NAME)))
    }

    /// A value that another container has, for a container of the same pod. Our reference to the
    /// pod's name is filled in. `None` if it refers to any other variable: that reference is of the
    /// other container's author, and here it could reach a variable that they must not read.
    pub(super) fn copied(value: &str, pod_name: &str) -> Option<Self> {
        let segments = segments(value).into_iter().map(|segment| match segment {
            Segment::Literal(text) => Some(text),
            Segment::Reference(name) => (name == POD_NAME).then_some(pod_name),
        });
        let text: String = segments.collect::<Option<_>>()?;
        Some(Self::literal(&text))
    }

    /// A container's own value with more text at its end. References that its author wrote stay
    /// theirs.
    pub(super) fn extended(value: &str, more: &str) -> Self {
        Self(format!("{value}{}", Self::literal(more).0))
    }

    /// As it is written into the pod.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the kubelet makes the same of a container's value. A pod that was injected before, or
    /// by EKS's webhook, may have a `$` that is not escaped and does not need to be.
    pub(super) fn is_same_as(&self, value: &str) -> bool {
        value == self.0 || expanded(value).is_some_and(|text| Self::literal(&text) == *self)
    }

    /// Whether it refers to the pod's name.
    pub(super) fn refers_to_pod_name(&self) -> bool {
        let mut segments = segments(&self.0).into_iter();
        segments.any(|segment| matches!(segment, Segment::Reference(POD_NAME)))
    }
}

/// What the kubelet makes of a value, or `None` if that depends on a variable.
pub(super) fn expanded(value: &str) -> Option<String> {
    let segments = segments(value).into_iter().map(|segment| match segment {
        Segment::Literal(text) => Some(text),
        Segment::Reference(_) => None,
    });
    segments.collect()
}

fn reference(name: &str) -> String {
    format!("$({name})")
}

/// Splits a text by the kubelet's rules (`expansion.Expand`): `$$` is a `$`, `$(` without a `)` is
/// itself, and so is a `$` before any other character.
fn segments(text: &str) -> Vec<Segment<'_>> {
    let (mut segments, mut rest) = (Vec::new(), text);
    while let Some((before, behind)) = rest.split_once('$') {
        segments.push(Segment::Literal(before));
        let name = behind.strip_prefix('(').and_then(|behind| behind.split_once(')'));
        if let Some((name, after)) = name {
            segments.push(Segment::Reference(name));
            rest = after;
        } else {
            // The `$`, and the character behind it unless that is a `$` again.
            segments.push(Segment::Literal("$"));
            let escaped = behind.strip_prefix('$');
            rest = escaped.unwrap_or_else(|| {
                let end = behind.chars().next().map_or(0, char::len_utf8);
                let (next, after) = behind.split_at(end);
                segments.push(Segment::Literal(next));
                after
            });
        }
    }
    segments.push(Segment::Literal(rest));
    segments
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The expansion by Kubernetes' documentation of `env[].value`, written apart from
    /// [`segments`]: each variable `NAME` has the value `<NAME>`.
    pub(crate) fn expand(text: &str) -> String {
        let (mut out, mut chars) = (String::new(), text.chars());
        while let Some(c) = chars.next() {
            if c != '$' {
                out.push(c);
                continue;
            }
            match chars.clone().next() {
                Some('$') => {
                    chars.next();
                    out.push('$');
                }
                Some('(') if chars.clone().any(|c| c == ')') => {
                    chars.next();
                    let name: String = chars.by_ref().take_while(|c| *c != ')').collect();
                    out.push_str(&format!("<{name}>"));
                }
                _ => out.push('$'),
            }
        }
        out
    }

    fn any_text() -> impl Strategy<Value = String> {
        "([$()]|[A-C]|\\$\\(A\\)|\\$\\(PODROLE_POD_NAME\\)|é){0,12}"
    }

    #[test]
    fn values_expand_as_kubernetes_documents() {
        for (value, text) in [
            ("a$(A)b", "a<A>b"),
            ("a$$(A)b", "a$(A)b"),
            ("$$$(A)", "$<A>"),
            ("$(A", "$(A"),
            ("$", "$"),
            ("a$b$", "a$b$"),
            ("$()", "<>"),
        ] {
            assert_eq!(expand(value), text, "{value}");
        }
        assert_eq!(expanded("a$b$$(A)").as_deref(), Some("a$b$(A)"));
        assert_eq!(expanded("a$(A)"), None);
    }

    #[test]
    fn an_unescaped_value_is_recognized_if_it_means_the_same() {
        let ours = Expression::literal("role/a$b/$(A)");
        assert_eq!(ours.as_str(), "role/a$$b/$$(A)");
        assert!(ours.is_same_as("role/a$b/$$(A)") && ours.is_same_as(ours.as_str()));
        assert!(!ours.is_same_as("role/a$b/$(A)") && !ours.is_same_as("role/a$b/A"));
        let named = Expression::around_pod_name(["s-", ""]);
        assert!(named.is_same_as("s-$(PODROLE_POD_NAME)") && !named.is_same_as("s-$(A)"));
    }

    #[test]
    fn a_copy_has_the_pods_name_and_no_other_reference() {
        let copied = |value| Expression::copied(value, "app-1").map(|it| it.0);
        assert_eq!(copied("s-$(PODROLE_POD_NAME)").as_deref(), Some("s-app-1"));
        assert_eq!(copied("$$(PODROLE_POD_NAME)").as_deref(), Some("$$(PODROLE_POD_NAME)"));
        assert_eq!(copied("http://evil/$(DB_PASSWORD)"), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_literal_expands_to_itself(text in any_text()) {
            let literal = Expression::literal(&text);
            prop_assert_eq!(expand(literal.as_str()), text.clone());
            prop_assert_eq!(expanded(literal.as_str()), Some(text.clone()));
            prop_assert!(!literal.refers_to_pod_name());
            prop_assert!(literal.is_same_as(literal.as_str()));
        }

        #[test]
        fn only_the_pods_name_is_ever_filled_in(text in any_text(), more in any_text()) {
            let named = Expression::around_pod_name([text.as_str(), more.as_str()]);
            prop_assert_eq!(expand(named.as_str()), format!("{text}<PODROLE_POD_NAME>{more}"));
            prop_assert!(named.refers_to_pod_name());
            let copied = Expression::copied(named.as_str(), "p").unwrap();
            prop_assert_eq!(expand(copied.as_str()), format!("{text}p{more}"));
        }

        #[test]
        fn a_value_without_references_is_what_the_kubelet_makes_of_it(text in any_text()) {
            if let Some(expanded) = expanded(&text) {
                prop_assert_eq!(expand(&text), expanded);
            }
        }
    }
}
