/** What the generated pages share. */

/** The first lines of a page: its title, and where it comes from. */
export const pageHead = (title: string, source: string): string =>
  `# ${title}\n\n<!-- Made from ${source} by \`npm run docs\`. Change it there. -->\n`

/** A table; bars in cells are kept from ending them. */
export function markdownTable(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`
  return [line(heads), `|${heads.map(() => ' --- ').join('|')}|`, ...rows.map(line)].join('\n')
}
