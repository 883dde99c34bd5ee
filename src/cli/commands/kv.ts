/** `orla kv`: looks at key/value data of units, and changes it. */
import { isUtf8 } from 'node:buffer'
import { readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { EdgeError } from '../../base/errors.ts'
import type { KvPage } from '../../contract/kv.ts'
import { type Arguments, UsageError } from '../arguments.ts'
import { type Command, CONTROL_OPTIONS, EXIT, JSON_OPTION, type Terminal } from '../command.ts'
import { ControlClient } from '../control-client.ts'

const FORMS = 'get NAMESPACE KEY, put NAMESPACE KEY [VALUE], delete NAMESPACE KEY, list [NAMESPACE]'

export const command: Command = {
  name: 'kv',
  operands: 'get|put|delete|list [NAMESPACE] [KEY] [VALUE]',
  operandsMin: 1,
  operandsMax: 4,
  text: `Looks at the data that units keep with \`edge.kv\`, and changes it: ${FORMS}. The namespace of a unit is its name, unless its field \`kv\` says another. A change is done when every worker sees it.`,
  options: {
    file: {
      value: 'FILE',
      text: 'put: the value is what this file holds; get: the value goes there, byte for byte',
    },
    ttl: { value: 'TIME', text: 'put: the key goes away after so long, such as 90s' },
    durable: { text: 'put, delete: wait until it is on the disk' },
    strong: { text: 'get, put, delete: ask whoever orders the changes of all nodes, not this node' },
    'if-value': { value: 'TEXT', text: 'put: only where the key holds this text; strong' },
    'if-absent': { text: 'put: only where there is no such key; strong' },
    prefix: { value: 'TEXT', text: 'list: only keys that begin so' },
    limit: { value: 'N', text: 'list: so many keys at most; all, if absent' },
    ...CONTROL_OPTIONS,
    ...JSON_OPTION,
  },
  examples: [
    ['orla kv list', 'the namespaces, and what each holds'],
    ['orla kv put deny 203.0.113.7 1 --ttl 1h', 'sets a key for an hour'],
    ['orla kv get visits /a', 'prints a value'],
    ['orla kv get pictures logo.png --file logo.png', 'a value that is no text'],
    ['orla kv list visits --prefix /', 'prints keys'],
    ['orla kv put jobs leader edge-3 --if-absent --ttl 1m', 'one of all who try'],
  ],
  exits: { 1: 'there is no such key, or it was refused' },
  run: async (args, terminal) => {
    const [form, ...rest] = args.operands
    const control = ControlClient.from(args, terminal)
    switch (form) {
      case 'get':
        return get(control, args, terminal, two(rest))
      case 'put':
        return put(control, args, terminal, rest)
      case 'delete':
        return remove(control, args, terminal, two(rest))
      case 'list':
        return list(control, args, terminal, rest)
      default:
        throw new UsageError(`kv takes ${FORMS}, not "${form}"`)
    }
  },
}

interface Place {
  readonly namespace: string
  readonly key: string
}

function two(rest: readonly string[]): Place {
  const [namespace, key] = rest
  if (namespace === undefined || key === undefined || rest.length > 2)
    throw new UsageError(`a namespace and a key are needed: kv ${FORMS}`)
  // The path of a URL has no such parts: they would name something else, or nothing.
  const odd = rest.find((part) => ['', '.', '..'].includes(part))
  if (odd !== undefined) throw new UsageError(`"${odd}" cannot be named here`)
  return { namespace, key }
}

const pathOf = ({ namespace, key }: Place) =>
  `/v1/kv/${encodeURIComponent(namespace)}/${encodeURIComponent(key)}`

const askedOf = (args: Arguments) => ({
  durable: args.flag('durable') ? '1' : undefined,
  strong: args.flag('strong') ? '1' : undefined,
})

async function get(control: ControlClient, args: Arguments, terminal: Terminal, place: Place) {
  const bytes = await control.bytes('GET', pathOf(place), { query: askedOf(args) })
  const file = args.text('file')
  if (file !== undefined) writeValue(resolve(terminal.cwd, file), bytes)
  else if (args.flag('json')) {
    const held = isUtf8(bytes) ? { value: bytes.toString() } : { base64: bytes.toString('base64') }
    terminal.print(JSON.stringify({ ...place, ...held }))
  } else if (isUtf8(bytes)) terminal.print(bytes.toString())
  else {
    throw new EdgeError('request-invalid', `${place.key} of ${place.namespace} is no text`, {
      hint: 'give --file FILE, and it is put there as it is, or --json',
    })
  }
  return EXIT.done
}

async function put(control: ControlClient, args: Arguments, terminal: Terminal, rest: readonly string[]) {
  const [namespace, key, text] = rest
  const file = args.text('file')
  const place = two([namespace, key].filter((part) => part !== undefined))
  if ((text === undefined) === (file === undefined))
    throw new UsageError('kv put takes a value, or --file with one')
  const bytes = file === undefined ? Buffer.from(text!) : readValue(resolve(terminal.cwd, file))
  const [ifValue, isAbsent] = [args.text('if-value'), args.flag('if-absent')]
  if (ifValue !== undefined && isAbsent) throw new UsageError('kv put takes --if-value or --if-absent')
  const query = { ttl: args.text('ttl'), ...askedOf(args), ifValue, ifAbsent: isAbsent ? '1' : undefined }
  const written = (await control.call('PUT', pathOf(place), { bytes, query })) as object
  if (args.flag('json')) terminal.print(JSON.stringify(written))
  else terminal.note(`put ${place.key} of ${place.namespace}, ${bytes.length} bytes`)
  return EXIT.done
}

async function remove(control: ControlClient, args: Arguments, terminal: Terminal, place: Place) {
  const query = askedOf(args)
  const written = (await control.call('DELETE', pathOf(place), { query })) as object
  if (args.flag('json')) terminal.print(JSON.stringify(written))
  else terminal.note(`deleted ${place.key} of ${place.namespace}`)
  return EXIT.done
}

async function list(control: ControlClient, args: Arguments, terminal: Terminal, rest: readonly string[]) {
  const [namespace, ...more] = rest
  if (more.length > 0) throw new UsageError(`kv list takes one namespace: kv ${FORMS}`)
  if (namespace === undefined) return listNamespaces(control, args, terminal)
  const most = args.number('limit', 1, 1_000_000) ?? Infinity
  const keys: KvPage['keys'][number][] = []
  for (let cursor: string | undefined; keys.length < most;) {
    const limit = Math.min(1000, most - keys.length)
    const query = { prefix: args.text('prefix'), cursor, limit }
    const page = (await control.call('GET', `/v1/kv/${encodeURIComponent(namespace)}`, { query })) as KvPage
    keys.push(...page.keys)
    cursor = page.cursor
    if (page.complete || cursor === undefined) break
  }
  if (args.flag('json')) terminal.print(JSON.stringify(keys))
  else {
    for (const { name, expiresAt } of keys)
      terminal.print(expiresAt === undefined ? name : `${name}  until ${new Date(expiresAt).toISOString()}`)
  }
  return EXIT.done
}

async function listNamespaces(control: ControlClient, args: Arguments, terminal: Terminal) {
  const found = (await control.call('GET', '/v1/kv')) as {
    readonly namespace: string
    readonly keys: number
    readonly bytes: number
  }[]
  if (args.flag('json')) terminal.print(JSON.stringify(found))
  else
    for (const { namespace, keys, bytes } of found)
      terminal.print(`${namespace}  ${keys} ${keys === 1 ? 'key' : 'keys'}, ${bytes} bytes`)
  return EXIT.done
}

function writeValue(path: string, bytes: Uint8Array): void {
  try {
    writeFileSync(path, bytes)
  } catch (error) {
    throw new EdgeError('file-unreadable', (error as Error).message, { cause: error })
  }
}

function readValue(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new EdgeError('file-unreadable', (error as Error).message, { cause: error })
  }
}
