"""Who may do what: role sessions, the evaluation of policies, and what each request asks for, as IAM sees it."""
