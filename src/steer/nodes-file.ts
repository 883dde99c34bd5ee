/**
 * Nodes from a file of JSON: an object with a property for each node, whose properties are the same as in a Corefile.
 *
 *     { "gru1": { "address": ["192.0.2.1", "2001:db8::1"], "location": [-23.5, -46.6], "probe": "http://192.0.2.1/health fall 2" } }
 */
import { readFile, stat } from 'node:fs/promises'
import { parseJson } from '../config/json.ts'
import { draftOf, isNodeName, type NodeDraft, setField } from './node-fields.ts'

/** A file with more than that is another file. */
const FILE_BYTES_MAX = 16 * 1024 * 1024

/** Drafts of nodes from the text of a file, or a sentence that says what is wrong with it. */
export function parseNodes(text: string): NodeDraft[] | string {
  const result = parseJson(text)
  if (result.kind === 'fault') {
    const { line, column, message } = result.fault
    return `line ${line}, column ${column}: ${message}`
  }
  const { value } = result
  if (!isObject(value)) return 'expected an object with a property for each node'
  const drafts: NodeDraft[] = []
  for (const [name, fields] of Object.entries(value)) {
    if (!isNodeName(name)) return `'${name}' is no name of a node: expected letters, digits, dots and hyphens`
    if (!isObject(fields)) return `node '${name}': expected an object with its properties`
    const draft = draftOf(name)
    for (const [field, words] of Object.entries(fields)) {
      const wrong = setField(draft, field, wordsOf(words))
      if (wrong !== undefined) return `node '${name}': ${wrong}`
    }
    drafts.push(draft)
  }
  return drafts
}

/** What tells one state of a file from another without reading it. Rejects where there is none. */
export async function signOf(path: string): Promise<string> {
  const { mtimeMs, size, ino } = await stat(path)
  return `${mtimeMs} ${size} ${ino}`
}

/** The same as `parseNodes`, of a file. Rejects where it cannot be read. */
export async function readNodes(path: string): Promise<NodeDraft[] | string> {
  const { size } = await stat(path)
  if (size > FILE_BYTES_MAX) return `it is longer than ${FILE_BYTES_MAX} bytes`
  return parseNodes(await readFile(path, 'utf8'))
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A text is cut where words end, as a line of a Corefile is. */
function wordsOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap((one) => wordsOf(one))
  return typeof value === 'string' ? value.split(/\s+/).filter((word) => word !== '') : [String(value)]
}
