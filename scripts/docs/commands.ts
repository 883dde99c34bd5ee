/** The page of commands, from the descriptions that `--help` is made of. */
import { COMMANDS } from '../../src/cli/commands.ts'
import { type Command, type CommandGroup, isGroup } from '../../src/cli/command.ts'
import { commandHelp, commandList, groupHelp } from '../../src/cli/help.ts'
import { pageHead } from './page.ts'

const fenced = (text: string): string => `\`\`\`text\n${text}\n\`\`\``

export async function commandsPage(): Promise<string> {
  const entries = Object.entries(COMMANDS)
  const list = commandList(entries.map(([name, { summary }]) => [name, summary]))
  const commands = await Promise.all(entries.map(async ([, entry]) => (await entry.load()).command))
  return `${[
    pageHead('Commands', '`src/cli/commands/`').trimEnd(),
    fenced(list),
    'Commands that talk to a control plane find it by `--control` and `--token`, or by `ORLA_CONTROL` and `ORLA_TOKEN`.\n`orla start` reads `ORLA_SECRET_KEY`, the key that secrets of units are encrypted with; without it, it makes one in the data directory.',
    ...(await Promise.all(commands.map(sections))),
  ].join('\n\n')}\n`
}

async function sections(command: Command | CommandGroup): Promise<string> {
  if (!isGroup(command)) return section(command.name, commandHelp(command))
  const entries = Object.values(command.commands)
  const commands = await Promise.all(entries.map(async (entry) => (await entry.load()).command))
  return [
    section(command.name, groupHelp(command)),
    ...commands.map((one) => section(one.name, commandHelp(one))),
  ].join('\n\n')
}

const section = (name: string, text: string): string => `## orla ${name}\n\n${fenced(text)}`
