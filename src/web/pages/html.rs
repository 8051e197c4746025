//! HTML in the making. What is added is text, and becomes text.

use std::fmt::Write;

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;margin:1rem auto;max-width:80rem;\
                     padding:0 1rem;color-scheme:light dark}\
                     .wide{overflow-x:auto}table{border-collapse:collapse;margin:.5rem 0}\
                     th,td{padding:.2rem .8rem;text-align:left;vertical-align:top;\
                     border-bottom:1px solid #8886}td{overflow-wrap:anywhere;min-width:4rem}\
                     nav a{margin-right:1rem}small{font-weight:normal;opacity:.7}";

/// The middle of a page.
#[derive(Debug, Default)]
pub(in crate::web) struct Html(String);

/// A cell of a table.
pub(super) enum Cell {
    /// Text.
    Text(String),
    /// Text that leads somewhere: a link within this site.
    Link(String, String),
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl Html {
    /// A heading below the page's own.
    pub(super) fn heading(&mut self, text: &str) -> &mut Self {
        self.tagged("h2", text)
    }

    /// A paragraph.
    pub(super) fn paragraph(&mut self, text: &str) -> &mut Self {
        self.tagged("p", text)
    }

    /// A table with a row of titles.
    pub(super) fn table(&mut self, titles: &[&str], rows: Vec<Vec<Cell>>) -> &mut Self {
        self.0.push_str("<div class=\"wide\"><table>\n<thead><tr>");
        for title in titles {
            self.tagged("th", title);
        }
        self.0.push_str("</tr></thead>\n<tbody>\n");
        for row in rows {
            self.row(None, row);
        }
        self.0.push_str("</tbody></table></div>\n");
        self
    }

    /// A table of what is called how; what is empty is left out.
    pub(super) fn facts(&mut self, facts: Vec<(&str, Cell)>) -> &mut Self {
        self.0.push_str("<div class=\"wide\"><table><tbody>\n");
        for (title, cell) in facts {
            if !matches!(&cell, Cell::Text(text) if text.is_empty()) {
                self.row(Some(title), vec![cell]);
            }
        }
        self.0.push_str("</tbody></table></div>\n");
        self
    }

    fn row(&mut self, title: Option<&str>, cells: Vec<Cell>) {
        self.0.push_str("<tr>");
        if let Some(title) = title {
            self.tagged("th", title);
        }
        for cell in cells {
            match cell {
                Cell::Text(text) => _ = self.tagged("td", &text),
                Cell::Link(to, text) => {
                    let (to, text) = (escaped(&to), escaped(&text));
                    let _ = write!(self.0, "<td><a href=\"{to}\">{text}</a></td>");
                }
            }
        }
        self.0.push_str("</tr>\n");
    }

    fn tagged(&mut self, tag: &str, text: &str) -> &mut Self {
        // Writing to a string does not fail.
        let _ = write!(self.0, "<{tag}>{}</{tag}>", escaped(text));
        self
    }

    /// The whole page. `up` leads to the site's root.
    pub(in crate::web) fn page(self, title: &str, up: &str, telemetry: &str) -> String {
        let version = env!("CARGO_PKG_VERSION");
        let (title, telemetry) = (escaped(title), escaped(telemetry.trim_start_matches('/')));
        let middle = self.0;
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
             <h1>{title} <small>harness-exporter {version}</small></h1>\n\
             <nav><a href=\"{up}\">pipelines</a><a href=\"{up}{telemetry}\">metrics</a>\
             <a href=\"{up}config\">config</a><a href=\"{up}-/healthy\">healthy</a>\
             <a href=\"{up}-/ready\">ready</a></nav>\n{middle}</body>\n</html>\n"
        )
    }
}

/// `text` so that it stands for itself between tags and in a quoted attribute.
fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, c| {
        match c {
            '&' | '<' | '>' | '"' | '\'' => {
                let _ = write!(escaped, "&#{};", u32::from(c));
            }
            c => escaped.push(c),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_41_markup_is_text_wherever_it_stands() {
        let hostile = "a<b>&\"'ä";
        assert_eq!(escaped(hostile), "a&#60;b&#62;&#38;&#34;&#39;ä");
        let mut html = Html::default();
        let cells = || vec![hostile.into(), Cell::Link(hostile.into(), hostile.into())];
        html.heading(hostile).paragraph(hostile).table(&[hostile], vec![cells()]);
        html.facts(vec![(hostile, hostile.into()), ("nothing", "".into())]);
        let page = html.page(hostile, "../", "/m");
        assert!(
            !page.contains("<b>") && !page.contains("&\"") && !page.contains("nothing"),
            "{page}"
        );
        assert!(page.contains("href=\"../m\"") && !page.contains("<script"), "{page}");
    }
}
