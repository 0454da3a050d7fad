/** `wrangler.toml` has a rule that imports the policy as text. */
declare module "*.toml" {
  const text: string;
  export default text;
}
