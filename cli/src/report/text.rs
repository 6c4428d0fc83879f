//! Findings as text. Colours are always written; anstream removes them if the output is not a terminal.

use anstyle::{AnsiColor, Style};

use super::finding::{Finding, State};
use crate::printable::printable;

/// The column of the values under a verdict.
const LABEL: usize = 10;

/// A state's word, coloured and padded.
pub(crate) fn state(state: State, width: usize) -> String {
    let style = style(state);
    format!("{style}{state}{style:#}{:pad$}", "", pad = width.saturating_sub(state.word().len()))
}

fn style(state: State) -> Style {
    let color = match state {
        State::Ok => AnsiColor::Green,
        State::Error => AnsiColor::Red,
        State::Warning | State::Unknown => AnsiColor::Yellow,
        State::Skipped | State::Note => return Style::new(),
    };
    Style::new().fg_color(Some(color.into()))
}

/// The state, the code and the sentence, then what is wrong and how it is fixed, each on a line of its own.
pub(crate) fn verdict(finding: &Finding) -> String {
    let code = finding.code.map_or_else(String::new, |code| format!(" {code}"));
    let mut text = format!("{}{code}: {}\n", state(finding.state, 0), printable(&finding.message));
    let one = [("is", &finding.is), ("should be", &finding.should_be)];
    for (label, value) in one {
        text.extend(value.iter().map(|value| detail(label, value)));
    }
    text.extend(finding.fix.iter().map(|fix| detail("fix", fix)));
    text.extend(finding.after.iter().map(|after| detail("after", after)));
    text
}

/// An indented line.
pub(crate) fn detail(label: &str, value: &str) -> String {
    format!("  {label:LABEL$} {}\n", printable(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Code;

    #[test]
    fn an_error_says_what_is_and_what_should_be_and_the_fix() {
        let finding = Finding::error(Code(1), "namespace shop is not labelled")
            .is("podrole.io/inject=enabled\u{1b}[31m")
            .should_be("podrole.io/injection=enabled")
            .fix("kubectl label namespace shop podrole.io/injection=enabled")
            .fix("kubectl -n shop rollout restart deployment/web")
            .after("3 pods run without AWS credentials until they are restarted");
        let text = anstream::adapter::strip_str(&verdict(&finding)).to_string();
        let expected = "ERROR PR001: namespace shop is not labelled
  is         podrole.io/inject=enabled\\x1b[31m
  should be  podrole.io/injection=enabled
  fix        kubectl label namespace shop podrole.io/injection=enabled
  fix        kubectl -n shop rollout restart deployment/web
  after      3 pods run without AWS credentials until they are restarted
";
        assert_eq!(text, expected);
    }

    #[test]
    fn only_the_state_is_coloured() {
        let text = verdict(&Finding::ok("all is well"));
        assert_eq!(text, "\u{1b}[32mok\u{1b}[0m: all is well\n");
    }
}
