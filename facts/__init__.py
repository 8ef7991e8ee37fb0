"""What is true of our clusters: plain frozen values. Nothing here knows an app, starts cdk8s, or writes a file."""
