/** `name [MATCH] FROM TO [answer auto | answer name|value FROM TO]…` */
import type { CorefileWord, DnsController } from '../../../contract/dns.ts'
import { matchFor, matchOf, targetName } from './rule-words.ts'
import { answerRewrite, type AnswerRewrite, NameRule } from './rules.ts'

export function readNameRule(
  controller: DnsController,
  field: CorefileWord,
  args: readonly CorefileWord[],
  isLast: boolean,
): NameRule {
  const end = args.findIndex(({ text }, index) => index >= 2 && text.toLowerCase() === 'answer')
  const own = end < 0 ? args : args.slice(0, end)
  // Longer ones were a name and answers in one, of which the second word is missing.
  const { match, from, rest } = matchOf(controller, field, own, 1)
  const to = targetName(controller, rest[0]!, match.kind, from)
  const { isAuto, rewrites } = readAnswers(controller, end < 0 ? [] : args.slice(end))
  // A name that is exact is told back by itself.
  return new NameRule(
    isLast,
    match,
    to,
    isAuto || (match.kind === 'exact' && rewrites.length === 0),
    rewrites,
  )
}

function readAnswers(
  controller: DnsController,
  args: readonly CorefileWord[],
): { readonly isAuto: boolean; readonly rewrites: AnswerRewrite[] } {
  const rewrites: AnswerRewrite[] = []
  let isAuto = false
  for (let at = 0; at < args.length;) {
    const [answer, field, from, to] = args.slice(at)
    if (answer!.text.toLowerCase() !== 'answer')
      controller.fail(answer!, `unexpected trailing arguments for a name rule: '${answer!.text}'`)
    const what = field?.text.toLowerCase()
    if (what === 'auto') {
      isAuto = true
      at += 2
      continue
    }
    if (what !== 'name' && what !== 'value')
      return controller.fail(
        field ?? answer!,
        `invalid answer rule '${field?.text ?? ''}': expected auto, name or value`,
      )
    if (!from || !to)
      return controller.fail(answer!, `answer ${what} needs an expression and what takes its place`)
    rewrites.push(
      answerRewrite(what, matchFor(controller, 'regex', from), targetName(controller, to, 'regex', from)),
    )
    at += 4
  }
  return { isAuto, rewrites }
}
