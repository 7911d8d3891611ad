"""From what the viewer sees to the encoder's pictures, streaming and exact in time; and how sound fits their motion."""
