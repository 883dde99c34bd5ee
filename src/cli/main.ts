/**
 * The command `orla`: finds the command that was asked for, reads its arguments, runs it, and turns what went wrong into
 * a message and an exit code.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { EdgeError } from '../base/errors.ts'
import { nearest } from '../base/nearest.ts'
import { exitOf } from './change.ts'
import { refusalText } from './refusal.ts'
import { readArguments, UsageError } from './arguments.ts'
import { type Command, type CommandGroup, EXIT, type ExitCode, isGroup, type Terminal } from './command.ts'
import { COMMANDS } from './commands.ts'
import { commandHelp, commandList, groupHelp } from './help.ts'

/** How long notes that nobody reads are waited for. */
const NOTES_MAX_MS = 2000

const terminal: Terminal = {
  cwd: process.cwd(),
  env: process.env,
  print: (line) => void process.stdout.write(`${line}\n`),
  note: (line) => void process.stderr.write(`${line}\n`),
}

// `orla units | head -1` ends this end of the pipe early: nobody is left to tell.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.done)
  throw error
})

const code = await main(process.argv.slice(2))
// A pipe whose reader is slower than this program takes what is left only while it lives. Nobody's terminal holds up a node that is to end.
await whenWritten(process.stdout)
await Promise.race([whenWritten(process.stderr), sleep(NOTES_MAX_MS)])
process.exit(code)

function whenWritten(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write('', () => resolve()))
}

async function main(argv: readonly string[]): Promise<number> {
  const [name = 'help', ...rest] = argv
  if (name === 'help' || name === '--help' || name === '-h') return help(rest)
  if (name === '--version' || name === '-v') return main(['version'])
  const command = await find(name)
  if (!command) return unknown(name)
  return isGroup(command) ? runOf(command, rest) : run(command, rest)
}

async function runOf(group: CommandGroup, [name = 'help', ...rest]: readonly string[]): Promise<number> {
  if (name === 'help' || name === '--help' || name === '-h') return helpOf(group, rest[0])
  const command = await findIn(group, name)
  return command ? run(command, rest) : unknownIn(group, name)
}

async function run(command: Command, argv: readonly string[]): Promise<number> {
  try {
    const args = readArguments(command, argv)
    if (!args.flag('help')) return await command.run(args, terminal)
    terminal.print(commandHelp(command))
    return EXIT.done
  } catch (error) {
    if (error instanceof UsageError) {
      terminal.note(`orla ${command.name}: ${error.message}\nsee \`orla ${command.name} --help\``)
      return EXIT.usage
    }
    if (!(error instanceof EdgeError)) throw error
    terminal.note(refusalText(error))
    return exitOf(error)
  }
}

async function help([name, subname]: readonly string[]): Promise<number> {
  if (name === undefined) {
    terminal.print(commandList(Object.entries(COMMANDS).map(([known, { summary }]) => [known, summary])))
    return EXIT.done
  }
  const command = await find(name)
  if (!command) return unknown(name)
  if (isGroup(command)) return helpOf(command, subname)
  terminal.print(commandHelp(command))
  return EXIT.done
}

async function helpOf(group: CommandGroup, name: string | undefined): Promise<number> {
  const command = name === undefined ? undefined : await findIn(group, name)
  if (name !== undefined && !command) return unknownIn(group, name)
  terminal.print(command ? commandHelp(command) : groupHelp(group))
  return EXIT.done
}

async function find(name: string): Promise<Command | CommandGroup | undefined> {
  if (!Object.hasOwn(COMMANDS, name)) return undefined
  const { command } = await COMMANDS[name]!.load()
  return command
}

async function findIn({ commands }: CommandGroup, name: string): Promise<Command | undefined> {
  if (!Object.hasOwn(commands, name)) return undefined
  const { command } = await commands[name]!.load()
  return command
}

function unknownIn({ name: group, commands }: CommandGroup, name: string): ExitCode {
  const meant = nearest(name, Object.keys(commands))
  const guess = meant === undefined ? '' : `; did you mean ${meant}?`
  terminal.note(`orla ${group}: "${name}" is not ${Object.keys(commands).join(', ')}${guess}`)
  terminal.note(`see \`orla ${group} --help\``)
  return EXIT.usage
}

function unknown(name: string): ExitCode {
  const meant = nearest(name, [...Object.keys(COMMANDS), 'help'])
  terminal.note(`orla: unknown command ${name}${meant === undefined ? '' : `; did you mean ${meant}?`}`)
  terminal.note('see `orla help`')
  return EXIT.usage
}
