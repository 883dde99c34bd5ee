/** `edns0 local|nsid|subnet ACTION …` */
import type { CorefileWord, DnsController } from '../../../contract/dns.ts'
import { OPTION } from '../../../wire/dns/codes.ts'
import {
  clientSubnet,
  EDNS_ACTIONS,
  type EdnsAction,
  EdnsRule,
  type OptionData,
  variable,
} from './edns-rule.ts'

export function readEdnsRule(
  controller: DnsController,
  field: CorefileWord,
  args: readonly CorefileWord[],
  isLast: boolean,
): EdnsRule {
  const [kind, actionWord, ...given] = args
  if (!kind || !actionWord)
    return controller.fail(
      field,
      'too few arguments for an EDNS0 rule: expected edns0 local|nsid|subnet ACTION',
    )
  const action = actionWord.text.toLowerCase()
  if (!(EDNS_ACTIONS as readonly string[]).includes(action))
    return controller.fail(
      actionWord,
      `invalid action: '${actionWord.text}': expected ${EDNS_ACTIONS.join(', ')}`,
    )
  const reverts = given.at(-1)?.text.toLowerCase() === 'revert'
  const rest = reverts ? given.slice(0, -1) : given
  const make = (code: number, data: OptionData) =>
    new EdnsRule(isLast, action as EdnsAction, code, data, reverts)
  const expect = (count: number, what: string) => {
    if (rest.length !== count) controller.fail(kind, `EDNS0 ${kind.text} rules require ${what}`)
  }
  switch (kind.text.toLowerCase()) {
    case 'local': {
      expect(action === 'unset' ? 1 : 2, action === 'unset' ? 'a code' : 'a code and data')
      const code = codeOf(controller, rest[0]!)
      return make(code, action === 'unset' ? () => Buffer.alloc(0) : dataOf(controller, rest[1]!))
    }
    case 'nsid':
      expect(0, 'no arguments')
      return make(OPTION.NSID, () => Buffer.alloc(0))
    case 'subnet': {
      if (action === 'unset' && rest.length === 0) return make(OPTION.CLIENT_SUBNET, () => Buffer.alloc(0))
      expect(2, 'the bits of IPv4 and of IPv6')
      const [v4, v6] = [bitsOf(controller, rest[0]!, 32), bitsOf(controller, rest[1]!, 128)]
      return make(OPTION.CLIENT_SUBNET, clientSubnet(v4, v6))
    }
    default:
      return controller.fail(kind, `invalid rule type '${kind.text}': expected local, nsid or subnet`)
  }
}

function codeOf(controller: DnsController, word: CorefileWord): number {
  const code = /^(?:0x[\da-f]{1,4}|\d{1,5})$/i.test(word.text) ? Number(word.text) : Number.NaN
  return code <= 0xffff
    ? code
    : controller.fail(word, `invalid option code ${word.text}: expected 0 to 65535, or as 0xffee`)
}

function dataOf(controller: DnsController, word: CorefileWord): OptionData {
  const [, name] = /^\{(.+)\}$/.exec(word.text) ?? []
  if (name !== undefined) {
    const isKnown = VARIABLES.includes(name) || name.includes('/')
    return isKnown
      ? variable(name)
      : controller.fail(
          word,
          `unsupported variable name '${name}': expected ${VARIABLES.join(', ')}, or a label of metadata such as {geoip/country/code}`,
        )
  }
  if (!word.text.startsWith('0x')) {
    const text = Buffer.from(word.text)
    return () => text
  }
  if (!/^0x(?:[\da-f]{2})*$/i.test(word.text))
    return controller.fail(word, `${word.text} is no whole number of bytes in hexadecimal`)
  const bytes = Buffer.from(word.text.slice(2), 'hex')
  return () => bytes
}

const VARIABLES = ['qname', 'qtype', 'client_ip', 'client_port', 'protocol', 'server_ip', 'server_port']

function bitsOf(controller: DnsController, word: CorefileWord, most: number): number {
  const bits = /^\d{1,3}$/.test(word.text) ? Number(word.text) : Number.NaN
  return bits <= most
    ? bits
    : controller.fail(word, `invalid prefix length ${word.text}: expected 0 to ${most}`)
}
