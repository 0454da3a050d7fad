/** The steps of an explanation: whether a call passes each, and what would satisfy it. */
type StepName = "path" | "route" | "credentials" | "token" | "revocation" | "scopes" | "resources" | "conditions";

export interface Step {
  readonly step: StepName;
  readonly passed: boolean;
  readonly detail: string;
  /** The step was assumed to pass and not checked. */
  readonly assumed?: true;
  /** What would satisfy the step; for scopes, the alternatives, each a list of scopes that are all needed. */
  readonly needs?: string | readonly (string | readonly string[] | ConditionCheck)[];
}

export interface ConditionCheck {
  /** `route`, `token`, or the scope's name. */
  readonly of: string;
  readonly condition: string;
  readonly holds: boolean;
  /** What would satisfy the condition, in words. */
  readonly wants: string;
}
