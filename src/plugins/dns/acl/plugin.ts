/** `acl`: who is answered, by address and type. */
import { readFileSync } from 'node:fs'
import { type Cidr, CidrSet, parseCidr } from '../../../base/cidr.ts'
import type { CorefileLine, CorefileWord, DnsController, DnsPlugin } from '../../../contract/dns.ts'
import { parseType } from '../../../wire/dns/codes.ts'
import { AclHandler } from './handler.ts'
import { ACTIONS, type Action, isAction, type Policy, type Rule } from './rule.ts'

const SECTIONS = ['type', 'net', 'file']

export default {
  name: 'acl',
  setup: (controller) =>
    new AclHandler(
      controller.lines.map((line) => ruleOf(controller, line)),
      controller,
    ),
} satisfies DnsPlugin

function ruleOf(controller: DnsController, line: CorefileLine): Rule {
  const read = (line.block ?? []).map((policy) => readPolicy(controller, policy))
  return { zones: controller.zonesOf(line.args), policies: joined(read).map(compiled) }
}

interface ReadPolicy {
  readonly action: Action
  /** In order; undefined: all types. */
  readonly types: readonly number[] | undefined
  /** Undefined: all addresses. */
  readonly networks: readonly Cidr[] | undefined
}

function readPolicy(controller: DnsController, { name, args }: CorefileLine): ReadPolicy {
  const action = name.text.toLowerCase()
  if (!isAction(action))
    return controller.fail(name, `unexpected token '${name.text}'; expect ${listed(ACTIONS)}`)
  const types = new Set<number>()
  const networks: Cidr[] = []
  let hasAllTypes = true
  let hasAllNetworks = true
  for (const { section, words } of sectionsOf(controller, args)) {
    if (section === 'type') {
      hasAllTypes = words.some(({ text }) => text === '*')
      for (const word of words) if (word.text !== '*') types.add(typeOf(controller, word))
      continue
    }
    hasAllNetworks = words.some(({ text }) => text === '*')
    for (const word of words) {
      if (section === 'file') networks.push(...networksOfFile(controller, word))
      else if (word.text !== '*') networks.push(networkOf(controller, word, word.text))
    }
  }
  return {
    action,
    types: hasAllTypes ? undefined : [...types].toSorted((one, other) => one - other),
    networks: hasAllNetworks ? undefined : networks,
  }
}

function sectionsOf(controller: DnsController, args: readonly CorefileWord[]) {
  const sections: { readonly section: string; readonly words: CorefileWord[] }[] = []
  for (const word of args) {
    const text = word.text.toLowerCase()
    if (SECTIONS.includes(text)) sections.push({ section: text, words: [] })
    else if (sections.length === 0)
      controller.fail(word, `unexpected token '${word.text}'; expect 'type | net | file'`)
    else sections.at(-1)!.words.push(word)
  }
  for (const { section, words } of sections)
    if (words.length === 0) controller.fail(args[0]!, `no token specified in '${section}' section`)
  return sections
}

const typeOf = (controller: DnsController, word: CorefileWord): number =>
  parseType(word.text) ??
  controller.fail(word, `unexpected token '${word.text}'; expect legal QTYPE, such as A or TYPE65280`)

const networkOf = (controller: DnsController, where: CorefileWord, text: string): Cidr =>
  parseCidr(text) ??
  controller.fail(
    where,
    `illegal CIDR notation '${text}'; expect one such as 192.168.0.0/16 or 2001:db8::/32`,
  )

function networksOfFile(controller: DnsController, word: CorefileWord): Cidr[] {
  let text: string
  try {
    text = readFileSync(controller.path(word.text), 'utf8')
  } catch (error) {
    return controller.fail(word, `unable to load networks from local file: ${(error as Error).message}`)
  }
  return text.split('\n').flatMap((line, index) => {
    const network = line.split('#')[0]!.trim()
    if (network === '') return []
    return (
      parseCidr(network) ??
      controller.fail(word, `${word.text}:${index + 1}: illegal CIDR notation '${network}'`)
    )
  })
}

/** Policies in a row that differ in their networks alone are one: so a thousand lines are one search, too. */
function joined(policies: readonly ReadPolicy[]): ReadPolicy[] {
  const kept: ReadPolicy[] = []
  let networks: Cidr[] | undefined
  for (const policy of policies) {
    const before = kept.at(-1)
    const isSame =
      before?.action === policy.action && String(before.types ?? '*') === String(policy.types ?? '*')
    if (isSame && networks && policy.networks) {
      for (const network of policy.networks) networks.push(network)
      continue
    }
    networks = policy.networks && [...policy.networks]
    kept.push({ ...policy, networks })
  }
  return kept
}

const compiled = ({ action, types, networks }: ReadPolicy): Policy => ({
  action,
  types: types && new Set(types),
  networks: networks && new CidrSet(networks),
})

const listed = (words: readonly string[]): string => words.map((word) => `'${word}'`).join(' or ')
