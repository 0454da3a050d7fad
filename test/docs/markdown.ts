/** The pages that a user reads, taken apart as far as the tests of this folder need it. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

export interface Page {
  /** From the project's top level. */
  readonly file: string;
  readonly text: string;
}

export interface Block {
  readonly file: string;
  readonly line: number;
  /** `toml`, `sh`, … */
  readonly language: string;
  /** Without the indentation of a list that it stands in. */
  readonly text: string;
}

export function pages(): Page[] {
  const names = ["README.md", "SECURITY.md", "CHANGELOG.md", ...readdirSync("docs").map((name) => `docs/${name}`)];
  return names.filter((name) => name.endsWith(".md")).map((file) => ({ file, text: readFileSync(file, "utf8") }));
}

export function blocksOf({ file, text }: Page, language?: string): Block[] {
  const blocks: Block[] = [];
  for (const match of text.matchAll(/^( *)```([a-z]+)\n([\s\S]*?)^ *```$/gm)) {
    const [, indent = "", name = "", body = ""] = match;
    const line = text.slice(0, match.index).split("\n").length;
    blocks.push({ file, line, language: name, text: body.replaceAll(new RegExp(`^${indent}`, "gm"), "") });
  }
  return language === undefined ? blocks : blocks.filter((block) => block.language === language);
}

/** Every place that a page links to and that is not on the network: file and anchor, and whether they are there. */
export function localLinks({ file, text }: Page): { link: string; found: boolean }[] {
  const prose = text.replaceAll(/^ *```[\s\S]*?^ *```$/gm, "").replaceAll(/`[^`\n]*`/g, "");
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link = ""]) => link)
    .filter((link) => !/^[a-z]+:/.test(link))
    .map((link) => {
      const [path = "", anchor] = link.split("#");
      const target = path === "" ? file : join(dirname(file), path);
      const found = existsSync(target) && (anchor === undefined || anchorsOf(target).has(anchor));
      return { link, found };
    });
}

/** As GitHub makes them from headings. */
function anchorsOf(file: string): ReadonlySet<string> {
  const headings = readFileSync(file, "utf8").matchAll(/^#+ (.+)$/gm);
  return new Set(
    [...headings].map(([, text = ""]) =>
      text
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}
