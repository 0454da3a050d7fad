/** Requests to GitHub's API for its route map: each template's names filled with something that no literal is. */

/** The path of a template, with `p-name` for each `{name}`, and two segments where it takes several. */
export function filled(template: string, multiSegment: ReadonlySet<string> = new Set()): string {
  return template.replace(/\{([^}]+)\}/g, (_, name: string) => {
    const value = `p-${name.toLowerCase()}`;
    return multiSegment.has(name) ? `${value}/two` : value;
  });
}
