//! Text in columns, for the terminal: wraps what is too long, never cuts a word that fits a line.

/// Splits a text into lines of at most `width` characters, between words; a word that is longer than a
/// line is broken.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ').flat_map(|word| pieces(word, width)) {
        let needed = line.chars().count().saturating_add(word.chars().count()).saturating_add(1);
        if !line.is_empty() && needed > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    lines.push(line);
    lines
}

fn pieces(word: &str, width: usize) -> Vec<String> {
    let characters: Vec<char> = word.chars().collect();
    if characters.is_empty() {
        return vec![String::new()];
    }
    characters.chunks(width).map(|piece| piece.iter().collect()).collect()
}

/// Sets cells side by side, each in its width and wrapped there, two spaces apart. Lines carry no
/// trailing spaces and are ended by a newline.
pub(super) fn side_by_side(indent: usize, cells: &[(&str, usize)]) -> String {
    let columns: Vec<(Vec<String>, usize)> =
        cells.iter().map(|(text, width)| (wrap(text, *width), *width)).collect();
    let height = columns.iter().map(|(lines, _)| lines.len()).max().unwrap_or(0);
    (0..height).map(|row| line(indent, &columns, row)).collect()
}

fn line(indent: usize, columns: &[(Vec<String>, usize)], row: usize) -> String {
    let cells = columns.iter().map(|(lines, width)| {
        let text = lines.get(row).map_or("", String::as_str);
        format!("{text:<width$}")
    });
    let text = cells.collect::<Vec<_>>().join("  ");
    format!("{}{}\n", " ".repeat(indent), text.trim_end())
}

/// A paragraph: every line indented alike, the first one with a mark in front.
pub(super) fn paragraph(mark: &str, text: &str, width: usize) -> String {
    let hang = mark.chars().count();
    let lines = wrap(text, width.saturating_sub(hang));
    let start = |row: usize| if row == 0 { mark.to_owned() } else { " ".repeat(hang) };
    let mut text = String::new();
    for (row, line) in lines.iter().enumerate() {
        text.extend([start(row).as_str(), line, "\n"]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_long_cell_wraps_inside_its_column() {
        let text = side_by_side(2, &[("in every path", 8), ("AS4837", 10)]);
        assert_eq!(text, "  in every  AS4837\n  path\n");
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_asked_and_no_character_is_lost(
            text in "[a-z0-9 ]{0,200}", width in 1_usize..40,
        ) {
            let lines = wrap(&text, width);
            prop_assert!(lines.iter().all(|line| line.chars().count() <= width));
            let kept: String = lines.concat().split_whitespace().collect();
            let given: String = text.split_whitespace().collect();
            prop_assert_eq!(kept, given);
        }
    }
}
