/** What lines of many plugins have in common: times, zones that fall through, addresses of servers. */
import { parseGoDuration } from '../../base/go-duration.ts'
import { formatIp, parseIp } from '../../base/ip-address.ts'
import type { CorefileLine, CorefileWord, DnsController } from '../../contract/dns.ts'
import { DnsName } from '../../wire/dns/name.ts'

/** The one argument of a property as milliseconds, zero or more. */
export function durationOf(controller: DnsController, line: CorefileLine): number {
  const [word] = line.args
  const name = line.name.text
  if (!word) return controller.fail(line, `${name} needs a time, such as 30s; 0 switches it off`)
  const ms = parseGoDuration(word.text)
  if (ms === undefined)
    return controller.fail(word, `${name} ${word.text} is no time: expected one such as 30s or 1m30s`)
  if (ms < 0) return controller.fail(word, `${name} ${word.text} is less than nothing`)
  return ms
}

/** Zones of `fallthrough [ZONES...]`: all of them without an argument. */
export const fallthroughOf = (controller: DnsController, line: CorefileLine): readonly DnsName[] =>
  line.args.length === 0 ? [DnsName.ROOT] : controller.zonesOf(line.args)

/** Ends the setup: the line is none that the plugin knows. */
export const unknownProperty = (
  controller: DnsController,
  line: CorefileLine,
  known: readonly string[],
): never => controller.fail(line, `unknown property '${line.name.text}': expected ${known.join(', ')}`)

/** Ends the setup where there are more arguments than that. */
export function atMost(controller: DnsController, line: CorefileLine, count: number): void {
  const extra = line.args[count]
  if (extra)
    controller.fail(extra, `${line.name.text} has too many arguments: '${extra.text}' is one too many`)
}

/** `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1`, `[2001:db8::1]:53`. */
export function serverOf(
  controller: DnsController,
  word: CorefileWord,
  usualPort = 53,
): { readonly host: string; readonly port: number } {
  const whole = parseIp(word.text)
  if (whole) return { host: formatIp(whole), port: usualPort }
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(word.text) ?? []
  const ip = parseIp(bracketed ?? plain ?? '')
  const port = digits === undefined ? usualPort : Number(digits)
  if (!ip || port < 1 || port > 65_535)
    return controller.fail(
      word,
      `not an IP address: '${word.text}': expected one such as 192.0.2.1, 192.0.2.1:53 or [2001:db8::1]:53`,
    )
  return { host: formatIp(ip), port }
}

/** The one line of a plugin that may stand once in a server block; ends the setup at a second one. */
export function onlyLine(controller: DnsController): CorefileLine {
  const [line, again] = controller.lines
  if (again) controller.fail(again, 'this plugin can only be used once per Server Block')
  return line!
}

/** Ends the setup where a line has braces that mean nothing there. */
export function noBlock(controller: DnsController, line: CorefileLine): void {
  if (line.block) controller.fail(line, `${line.name.text} takes no block: expected no { behind it`)
}

/** Ends the setup where a line has arguments or a block. */
export function bare(controller: DnsController, line: CorefileLine): void {
  atMost(controller, line, 0)
  noBlock(controller, line)
}

/** The arguments of a line, where they are so many. */
export function counted(
  controller: DnsController,
  { name, args }: CorefileLine,
  least: number,
  most: number,
): readonly CorefileWord[] {
  if (args.length >= least && args.length <= most) return args
  const expected =
    most === least ? `${least}` : most === Infinity ? `at least ${least}` : `${least} to ${most}`
  return controller.fail(
    name,
    `Wrong argument count or unexpected line ending after '${(args.at(-1) ?? name).text}': ${name.text} takes ${expected}`,
  )
}

/** A time such as `30s`, in milliseconds. `what` is what it is the time of. */
export function spanOf(controller: DnsController, word: CorefileWord, what: string): number {
  const ms = parseGoDuration(word.text)
  if (ms === undefined)
    return controller.fail(
      word,
      `${what}: invalid duration "${word.text}": expected one such as 500ms, 30s or 1h20m`,
    )
  return ms >= 0 ? ms : controller.fail(word, `${what} can't be negative: ${word.text}`)
}
