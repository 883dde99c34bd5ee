/** The help of a command, and the list of all, drawn from their descriptions. */
import { optionsOf } from './arguments.ts'
import type { Command, CommandGroup, Option } from './command.ts'

export function commandHelp(command: Command): string {
  const usage = ['usage: orla', command.name, command.operands, '[options]'].filter((part) => part !== '')
  const options = Object.entries(optionsOf(command)).map(([name, option]) => [
    optionHead(name, option),
    option.many ? `${option.text} (may be repeated)` : option.text,
  ])
  const exits = [
    ['0', 'done'],
    ...Object.entries(command.exits),
    ['64', 'the command line is wrong'],
  ] as const
  const parts = [
    usage.join(' '),
    command.text,
    `options:\n${columns(options)}`,
    command.examples.length > 0 &&
      `examples:\n${command.examples.map(([line, what]) => `  # ${what}\n  ${line}`).join('\n')}`,
    `exit codes:\n${columns(exits)}`,
  ]
  return parts.filter((part) => part !== false && part !== '').join('\n\n')
}

/** `summaries` in the order in which they are to be read. */
export function commandList(summaries: readonly (readonly [name: string, summary: string])[]): string {
  return [
    'usage: orla COMMAND [options]',
    'Orla is a programmable edge: it proxies and caches, and units of TypeScript change what it does while it runs.',
    `commands:\n${columns(summaries)}`,
    '`orla COMMAND --help` says more about each.',
  ].join('\n\n')
}

export function groupHelp({ name, text, commands }: CommandGroup): string {
  return [
    `usage: orla ${name} COMMAND [options]`,
    text,
    `commands:\n${columns(Object.entries(commands).map(([known, { summary }]) => [known, summary]))}`,
    `\`orla ${name} COMMAND --help\` says more about each.`,
  ].join('\n\n')
}

function optionHead(name: string, option: Option): string {
  const short = name === 'help' ? '-h, ' : ''
  return option.value === undefined ? `${short}--${name}` : `--${name} ${option.value}`
}

/** Two columns, the first as wide as its widest; without one column more, a row too wide breaks. */
function columns(rows: readonly (readonly string[])[]): string {
  const width = Math.min(30, Math.max(...rows.map(([head]) => head!.length)))
  return rows
    .map(([head, text]) => {
      const gap = head!.length > width ? `\n${' '.repeat(width + 4)}` : ' '.repeat(width - head!.length + 2)
      return `  ${head}${gap}${text}`
    })
    .join('\n')
}

/** A table for people: headings in capitals, columns by their widest cell, nothing after the last. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [heads, ...rows]
  const widths = heads.map((_, column) => Math.max(...all.map((row) => row[column]!.length)))
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
