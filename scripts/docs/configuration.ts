/**
 * The page of the configuration, from the text of `src/config/schema.ts`: the schema knows keys and defaults, the comments
 * in it know what they mean, and only the source has both.
 */
import ts from 'typescript'
import { ALGORITHM_NAMES } from '../../src/base/rate.ts'
import { isLiveKey } from '../../src/config/live-keys.ts'
import { markdownTable, pageHead } from './page.ts'
import { docOf, parseSource } from './typescript.ts'

const PATH = 'src/config/schema.ts'
/** The schema, and the parts of it that have a file of their own. */
const PATHS = [
  PATH,
  'src/config/origin-schema.ts',
  'src/config/static-schema.ts',
  'src/config/listen.ts',
  'src/config/acme.ts',
  'src/config/access-log-schema.ts',
  'src/config/compression.ts',
  'src/config/cache-schema.ts',
  'src/config/telemetry-schema.ts',
  'src/config/store-schema.ts',
  'src/config/source-schema.ts',
  'src/config/limit-schema.ts',
  'src/config/dns-schema.ts',
]

interface Key {
  readonly path: string
  readonly takes: string
  readonly fallback: string
  readonly doc: string
}

/** What a leaf takes, by how it is written in the schema. */
const KINDS: readonly (readonly [pattern: RegExp, words: string])[] = [
  [/^size\(\)$/, 'size'],
  [/^list\(\s*url\(|^redisUrls$/, 'URL, or a list of them'],
  [/^duration\(\)$/, 'time'],
  // Its bounds stand in its comment.
  [/^shortTime\(\d+\)$/, 'time'],
  [/^count\([^)]*\)$/, 'whole number'],
  [/^Root$/, 'folder'],
  [/^FieldValue$/, 'text'],
  [/^dohPath\(\)$/, 'path'],
  [/^v\.array\(FileName/, 'list of names'],
  [/^v\.record\(/, 'object of texts'],
  [/^v\.pipe\(\s*v\.union\(\s*\[v\.boolean\(\)/, '`true`, `false` or list'],
  [/^share\(\)$/, '0 to 1'],
  [/^v\.literal\('redis',/, '`redis`'],
  [/^seconds\(\)$/, 'seconds, 0.1 to 86400'],
  [/^statuses\(\)$/, 'list of statuses'],
  [/^HashOn$/, 'text'],
  [/^EndpointUrl$|^CollectorUrl$/, 'URL'],
  [/^Headers$|^Resource$/, 'object of texts'],
  [/^Protocol$/, '`http/protobuf`, `http/json`'],
  [/^AccessLogPath$/, 'text'],
  [/^v\.pipe\(\s*v\.array\(\s*v\.pipe\(\s*v\.string\(FIELD_EXPECTED/, 'list of fields'],
  [/^ListenList$/, 'address, or a list of them'],
  [/^Listen$/, 'address'],
  [/^PemPath\(\)$/, 'path'],
  [/^v\.array\(v\.pipe\(v\.string\(/, 'list of texts'],
  [/^v\.array\(\s*v\.pipe\(v\.string\(/, 'list of texts'],
  [/^v\.array\(ContentType/, 'list of content types'],
  [/^v\.pipe\(\s*v\.array\(v\.picklist\(\['zstd'/, 'list of `zstd`, `br`, `gzip`'],
  [/^v\.pipe\(\s*v\.number\(LEVEL/, 'whole number, 1 to 19'],
  [/^v\.array\(TrustedKey/, 'list of keys'],
  [/^v\.union\(\s*\[v\.boolean\(\), v\.literal\('key'\)/, '`true`, `false` or `"key"`'],
  [/^v\.boolean\(\)$/, '`true` or `false`'],
  [/^v\.pipe\(\s*v\.array\(Host/, 'list of hosts'],
  [/^v\.pipe\(\s*v\.array\(requestPath\(\)/, 'list of paths'],
  [/^rate\(\)$/, 'rate'],
  [/^v\.picklist\(\s*ALGORITHM_NAMES/, ALGORITHM_NAMES.map((name) => `\`${name}\``).join(', ')],
  [/^LimitKey$/, 'text, or a list of texts'],
  [/^v\.pipe\(\s*v\.array\(Method/, 'list of methods'],
  [
    /^v\.pipe\(\s*v\.array\(levelOf/,
    'list of prefix lengths, or of objects with `length`, `rate` and `burst`',
  ],
  [/^v\.pipe\(\s*v\.string\(LIMIT_NAME/, 'text'],
  [/^v\.pipe\(\s*v\.union\(\s*\[v\.string\(\), v\.array/, 'text, or a list of texts'],
  [/^v\.array\(FetchSite/, 'list of hosts, with or without a port'],
  [/^v\.array\(v\.string\(\)\)$/, 'list of texts'],
  [/^v\.array\(network\(\)/, 'list of addresses and prefixes'],
  [/^v\.array\(\s*v\.union\(\s*\[\s*v\.picklist\(\['connect'/, 'list'],
  [/^headerNames\(\)$|^namesSuch\(/, 'list of names'],
  [/^v\.pipe\(\s*size\(\)/, 'size'],
  [/^CacheQuery$/, '`all`, `none`, `{ "only": […] }` or `{ "except": […] }`'],
  [/^v\.array\(\s*v\.picklist\(\['zstd'/, 'list of `zstd`, `br`, `gzip`'],
  [/^v\.array\(v\.string\(\),/, 'list of texts'],
  [/^v\.(?:string\(|pipe\(\s*v\.string\()/, 'text'],
]

export function configurationPage(): string {
  const constants = new Map<string, ts.Expression>()
  for (const statement of PATHS.flatMap((path) => [...parseSource(path).statements])) {
    if (!ts.isVariableStatement(statement)) continue
    for (const { name, initializer } of statement.declarationList.declarations) {
      if (initializer) constants.set(name.getText(), initializer)
    }
  }
  const keys = keysOf(constants.get('ConfigSchema')!, '', constants)
  const groups = [...Map.groupBy(keys, ({ path }) => /^\w+/.exec(path)![0])]
  return `${[
    pageHead('Configuration', `\`${PATH}\``).trimEnd(),
    '`orla start` reads `orla.config.ts` or `orla.config.json` in the folder where it runs, or the file given with `--config`. A file in\nTypeScript exports `defineConfig({…})` from `orla` as its default. Every key may be left out but `sites[].origin`. An unknown key is an\nerror that names the nearest known one. Paths count from the folder of the file.',
    'What `changes` says: `live` goes live with a [reload](../guides/sites.md#by-the-file), what is empty needs a restart.',
    'Sizes and times are texts with a suffix: `"64mb"` (b, kb, mb, gb, tb; kb is 1024) and `"5s"` (ms, s, m, h, d).',
    ...groups.map(
      ([group, own]) =>
        `## ${group}\n\n${markdownTable(
          ['key', 'takes', 'default', 'changes', ''],
          own.map(({ path, takes, fallback, doc }) => [`\`${path}\``, takes, fallback, changes(path), doc]),
        )}`,
    ),
    '`"origin": "http://127.0.0.1:9000"` is short for `"origin": { "endpoints": ["http://127.0.0.1:9000"] }`. A site without `cache` keeps nothing.',
  ].join('\n\n')}\n`
}

/** A key goes live where it does itself, or one that it stands in. `edge.listen` may be one address, and is shown as one. */
function changes(path: string): string {
  const parts = path.replace(/\[\]/g, '').replace('edge.listen.', 'edge.listen[].').split('.')
  return parts.some((_, index) => isLiveKey(parts.slice(0, index + 1).join('.'))) ? 'live' : ''
}

/** The keys below an expression of the schema, those of objects in it by their full path. */
function keysOf(
  expression: ts.Expression,
  path: string,
  constants: ReadonlyMap<string, ts.Expression>,
): Key[] {
  const variants = variantsOf(expression, constants)
  if (variants) return variantKeys(variants, path, constants)
  const object = strictObject(expression, constants)
  if (!object) return []
  return propertiesOf(object, constants).flatMap((property) => {
    const { value, fallback } = unwrap(property.initializer)
    const isList = isListOf(value, constants)
    const own = `${path === '' ? '' : `${path}.`}${property.name.getText()}`
    const below = keysOf(value, isList ? `${own}[]` : own, constants)
    if (below.length > 0) return [...describedGroup(own, property, path, isList, fallback), ...below]
    return [{ path: own, takes: kindOf(value), fallback, doc: docOf(property) }]
  })
}

/** Keys that all kinds have stand once, those of one kind say so. */
function variantKeys(
  variants: readonly ts.Expression[],
  path: string,
  constants: ReadonlyMap<string, ts.Expression>,
): Key[] {
  const byKind = variants.map((variant) => keysOf(variant, path, constants))
  const kindKey = `${path}.kind`
  const everywhere = (key: Key) => byKind.every((keys) => keys.some((other) => other.path === key.path))
  const kinds = byKind.flatMap((keys) => keys.filter((key) => key.path === kindKey))
  const own = new Map<string, { readonly key: Key; readonly kinds: string[] }>()
  for (const [index, keys] of byKind.entries())
    for (const key of keys.filter((one) => !everywhere(one))) {
      const same = JSON.stringify(key)
      const { kinds: before } = own.get(same) ?? { kinds: [] }
      own.set(same, { key, kinds: [...before, kinds[index]!.takes] })
    }
  const told = [...own.values()].map(({ key, kinds: of }) => ({
    ...key,
    doc: `With \`kind\` ${of.join(' or ')}: ${key.doc}`,
  }))
  return [...kinds, ...told, ...byKind[0]!.filter((key) => key.path !== kindKey && everywhere(key))]
}

/** The objects of a `v.variant`, where the expression stands for one. */
function variantsOf(
  expression: ts.Expression,
  constants: ReadonlyMap<string, ts.Expression>,
): readonly ts.Expression[] | undefined {
  const constant = ts.isIdentifier(expression) ? constants.get(expression.text) : expression
  if (!constant || !ts.isCallExpression(constant)) return undefined
  // A list of them has the keys of each.
  if (constant.expression.getText() === 'v.array') return variantsOf(constant.arguments[0]!, constants)
  if (constant.expression.getText() !== 'v.variant') return undefined
  const [, options] = constant.arguments
  return options && ts.isArrayLiteralExpression(options) ? options.elements : undefined
}

/** Those of constants that are spread into it, too. */
function propertiesOf(
  object: ts.ObjectLiteralExpression,
  constants: ReadonlyMap<string, ts.Expression>,
): ts.PropertyAssignment[] {
  const all = object.properties.flatMap((property) => {
    if (ts.isPropertyAssignment(property)) return [property]
    if (!ts.isSpreadAssignment(property) || !ts.isIdentifier(property.expression)) return []
    const spread = constants.get(property.expression.text)
    const inner = spread && ts.isAsExpression(spread) ? spread.expression : spread
    return inner && ts.isObjectLiteralExpression(inner) ? propertiesOf(inner, constants) : []
  })
  // What is written again stands instead of what was spread.
  const names = all.map(({ name }) => name.getText())
  return all.filter((_, index) => names.lastIndexOf(names[index]!) === index)
}

/** A key that holds others has a row of its own only where something is said about it. */
function describedGroup(
  path: string,
  property: ts.PropertyAssignment,
  above: string,
  isList: boolean,
  fallback: string,
): Key[] {
  const doc = docOf(property)
  if (doc === '' || above === '') return []
  return [{ path, takes: isList ? 'list' : 'object', fallback: fallback === '`{}`' ? '' : fallback, doc }]
}

/** `v.optional(VALUE, DEFAULT)` taken apart. */
function unwrap(expression: ts.Expression): { value: ts.Expression; fallback: string } {
  if (!ts.isCallExpression(expression)) return { value: expression, fallback: 'needed' }
  if (expression.expression.getText() !== 'v.optional') return { value: expression, fallback: 'needed' }
  const [value, fallback] = expression.arguments
  return { value: value!, fallback: fallback === undefined ? '' : fallbackText(fallback) }
}

function fallbackText(expression: ts.Expression): string {
  if (ts.isArrowFunction(expression)) return `\`${expression.body.getText()}\``
  return `\`${expression
    .getText()
    .replaceAll("'", '"')
    .replace(/\s+/g, ' ')
    .replace(/,? \]$/, ']')
    .replace(/^\[ /, '[')}\``
}

/** The object that an expression stands for: itself, a constant, or behind `pipe`, `array`, `union` or `optional`. */
function strictObject(
  expression: ts.Expression,
  constants: ReadonlyMap<string, ts.Expression>,
): ts.ObjectLiteralExpression | undefined {
  if (ts.isIdentifier(expression)) {
    const constant = constants.get(expression.text)
    return constant && strictObject(constant, constants)
  }
  if (ts.isArrayLiteralExpression(expression)) return firstObject(expression.elements, constants)
  if (!ts.isCallExpression(expression)) return undefined
  const [first] = expression.arguments
  if (expression.expression.getText() === 'v.strictObject' && first && ts.isObjectLiteralExpression(first))
    return first
  return firstObject(expression.arguments, constants)
}

function firstObject(
  expressions: readonly ts.Expression[],
  constants: ReadonlyMap<string, ts.Expression>,
): ts.ObjectLiteralExpression | undefined {
  for (const expression of expressions) {
    const found = strictObject(expression, constants)
    if (found) return found
  }
  return undefined
}

const isListOf = (expression: ts.Expression, constants: ReadonlyMap<string, ts.Expression>): boolean =>
  /^(?:v\.pipe\(\s*)?v\.array\(/.test(expression.getText()) &&
  strictObject(expression, constants) !== undefined

function kindOf(expression: ts.Expression): string {
  const text = expression.getText()
  const literal = /^v\.literal\('(\w+)'\)$/.exec(text)?.[1]
  if (literal !== undefined) return `\`"${literal}"\``
  const options = /^v\.picklist\(\s*\[([^\]]*)\]/.exec(text)?.[1]
  if (options !== undefined) return options.replaceAll("'", '`').trim()
  const found = KINDS.find(([pattern]) => pattern.test(text))
  if (!found) throw new Error(`scripts/docs/configuration.ts has no words for \`${text}\` of ${PATH}`)
  const [, most, least = '1'] = /^count\((\d+|Number\.MAX_SAFE_INTEGER)(?:, (\d+))?\)$/.exec(text) ?? []
  if (most === undefined) return found[1]
  return most.startsWith('N') ? `${found[1]} from ${least}` : `${found[1]}, ${least} to ${most}`
}
