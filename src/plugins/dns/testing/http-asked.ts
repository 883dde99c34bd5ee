/** What an endpoint of a plugin under test answers. */
export async function httpAsked(port: number, path: string): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`)
  return `${response.status} ${await response.text()}`
}
