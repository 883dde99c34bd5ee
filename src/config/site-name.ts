import { plainHost } from './site-claims.ts'

/** How a site is called: by its name, else by the first of its hosts. */
export const siteName = ({
  name,
  hosts,
}: {
  readonly name?: string | undefined
  readonly hosts?: readonly string[] | undefined
}): string => name ?? plainHost(hosts?.[0] ?? '*')
