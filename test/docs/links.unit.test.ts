import { expect, test } from "vitest";
import { localLinks, pages } from "./markdown.ts";

test.each(pages())("every link of $file into the project leads somewhere", (page) => {
  const broken = localLinks(page).filter(({ found }) => !found);
  expect(broken.map(({ link }) => link)).toEqual([]);
});

test("every page in docs/ can be reached from the README", () => {
  const linked = new Set(
    pages().flatMap((page) => localLinks(page).map(({ link }) => link.replace(/^.*\/|#.*$/g, ""))),
  );
  for (const { file } of pages()) if (file.startsWith("docs/")) expect(linked).toContain(file.slice("docs/".length));
});
