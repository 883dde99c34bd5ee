/** `template`: answers that are written by templates over the question. */
import { GoRegex, GoRegexError } from '../../../base/go-regex.ts'
import type { CorefileLine, CorefileWord, DnsController, DnsPlugin } from '../../../contract/dns.ts'
import {
  CLASS,
  EXTENDED_ERROR,
  type ExtendedError,
  parseRcode,
  RCODE,
  TYPE,
} from '../../../wire/dns/codes.ts'
import { fallthroughOf, unknownProperty } from '../line-words.ts'
import { GoTemplate, GoTemplateError, type TemplateValue } from './go-template.ts'
import { type AnswerTemplate, TemplateHandler } from './handler.ts'

export default {
  name: 'template',
  setup: (controller) =>
    new TemplateHandler(
      controller.lines.map((line) => readTemplate(controller, line)),
      controller,
    ),
} satisfies DnsPlugin

const PROPERTIES = ['match', 'answer', 'additional', 'authority', 'rcode', 'ederror', 'fallthrough']

function readTemplate(controller: DnsController, line: CorefileLine): AnswerTemplate {
  const [className, typeName, ...zones] = line.args
  if (!className || !typeName)
    return controller.fail(line, 'expected a class and a type, such as: template IN A example.org { … }')
  const template: Mutable = {
    class: numberOf(controller, className, CLASS, 'class'),
    type: numberOf(controller, typeName, TYPE, 'type'),
    zones: controller.zonesOf(zones),
    regexes: [],
    answer: [],
    additional: [],
    authority: [],
    rcode: RCODE.NOERROR,
    extendedError: undefined,
    fallthrough: undefined,
  }
  for (const property of line.block ?? []) readProperty(controller, property, template)
  const isEmpty = template.answer.length === 0 && template.authority.length === 0
  if (isEmpty && template.rcode === RCODE.NOERROR && !template.extendedError)
    return controller.fail(
      line,
      'no answer section for template found: expected answer, authority, rcode or ederror',
    )
  if (template.regexes.length === 0) template.regexes.push(GoRegex.compile('.*'))
  return template
}

type Mutable = {
  -readonly [K in keyof AnswerTemplate]: AnswerTemplate[K] extends readonly (infer T)[]
    ? T[]
    : AnswerTemplate[K]
}

function readProperty(controller: DnsController, line: CorefileLine, template: Mutable): void {
  const { name, args } = line
  const property = name.text
  // `upstream` once chose who resolves CNAMEs, and is read over.
  if (property === 'upstream') return
  if (property === 'fallthrough') {
    template.fallthrough = fallthroughOf(controller, line)
    return
  }
  if (!PROPERTIES.includes(property)) unknownProperty(controller, line, PROPERTIES)
  const [first] = args
  if (!first) return controller.fail(line, `${property} needs an argument`)
  if (property === 'match') template.regexes.push(...args.map((word) => regexOf(controller, word)))
  else if (property === 'rcode')
    template.rcode =
      parseRcode(first.text) ??
      controller.fail(first, `unknown rcode ${first.text}: expected one such as NXDOMAIN`)
  else if (property === 'ederror')
    template.extendedError = { error: errorOf(controller, first), text: args[1]?.text ?? '' }
  else
    template[property as 'answer' | 'additional' | 'authority'].push(
      ...args.map((word) => templateOf(controller, word)),
    )
}

function numberOf(
  controller: DnsController,
  word: CorefileWord,
  numbers: Readonly<Record<string, number>>,
  what: string,
): number {
  if (Object.hasOwn(numbers, word.text)) return numbers[word.text]!
  return controller.fail(
    word,
    `invalid query ${what} ${word.text}: expected a ${what} in capitals, such as ${Object.keys(numbers).slice(0, 2).join(' or ')}, or ANY`,
  )
}

function regexOf(controller: DnsController, word: CorefileWord): GoRegex {
  try {
    return GoRegex.compile(word.text)
  } catch (error) {
    if (error instanceof GoRegexError) return controller.fail(word, `could not parse regex: ${error.message}`)
    throw error
  }
}

function templateOf(controller: DnsController, word: CorefileWord): GoTemplate {
  try {
    return GoTemplate.parse(word.text, { parseInt: parsedInt })
  } catch (error) {
    if (error instanceof GoTemplateError)
      return controller.fail(word, `could not compile template: ${word.text}, ${error.message}`)
    throw error
  }
}

function errorOf(controller: DnsController, word: CorefileWord): ExtendedError {
  const known = Object.entries(EXTENDED_ERROR).find(([, code]) => String(code) === word.text)
  return (
    (known?.[0] as ExtendedError | undefined) ??
    controller.fail(word, `${word.text} is no extended error: expected 0 to 24`)
  )
}

/** Go's `strconv.ParseUint`: all of a text as a number in a base, of so many bits. */
function parsedInt(text: TemplateValue, base: TemplateValue = 10, bits: TemplateValue = 64): number {
  const digits = String(text)
  const value =
    typeof base === 'number' && base >= 2 && base <= 36 ? Number.parseInt(digits, base) : Number.NaN
  const isWhole =
    value >= 0 && value.toString(base as number) === digits.toLowerCase().replace(/^0+(?=.)/, '')
  if (!isWhole) throw new GoTemplateError(`error calling parseInt: parsing "${digits}": invalid syntax`)
  if (value >= 2 ** Number(bits))
    throw new GoTemplateError(`error calling parseInt: parsing "${digits}": value out of range`)
  return value
}
