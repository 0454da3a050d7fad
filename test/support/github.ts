/** Requests to GitHub's API for its route map: each template's names filled with something that no literal is. */

/** The path of a template, with `p-name` for each `{name}`, and two segments where it takes several. */
export function filled(template: string, multiSegment: ReadonlySet<string> = new Set()): string {
  return template.replace(/\{([^}]+)\}/g, (_, name: string) => {
    const value = `p-${name.toLowerCase()}`;
    return multiSegment.has(name) ? `${value}/two` : value;
  });
}

/** Runs `work` for each item, `width` at a time. Rejects with the first failure, when all are done. */
export async function eachOf<Item>(
  items: readonly Item[],
  width: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  let next = 0;
  const failures: unknown[] = [];
  const lane = async (): Promise<void> => {
    while (next < items.length) {
      const item = items[next++] as Item;
      await work(item).catch((failure: unknown) => failures.push(failure));
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
  if (failures.length > 0) throw failures[0];
}
